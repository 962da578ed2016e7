// What went wrong in a page, in words, instead of an empty window.

import { Component, type ReactNode } from "react";
import { withTranslation, type WithTranslation } from "react-i18next";
import { reloadOnce } from "../bank/post";

type Props = WithTranslation & { children: ReactNode };

class BoundaryBase extends Component<Props, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override componentDidCatch(error: Error) {
    // A part of the page is missing: the bank was upgraded, and has the parts of another version.
    if (/dynamically imported module|Importing a module/.test(error.message)) reloadOnce();
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    const { t } = this.props;
    return (
      <main className="alone">
        <div className="problem" role="alert">
          <p>{t("problem.crashed")}</p>
          <button type="button" onClick={() => location.reload()}>{t("problem.reload")}</button>
        </div>
      </main>
    );
  }
}

export const Boundary = withTranslation()(BoundaryBase);
