import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./style.css";
import { createRoot } from "react-dom/client";
import { Playground } from "./playground";

createRoot(document.getElementById("root") as HTMLElement).render(<Playground />);
