// Tells how the bank is, and which version it is.

const health = document.getElementById("health") as HTMLElement;
const version = document.getElementById("version") as HTMLElement;

try {
  const response = await fetch("health/ready");
  health.textContent = response.ok ? "Open: the bank and its database answer." : "The database cannot be reached just now.";
  health.className = response.ok ? "good" : "bad";
  version.textContent = `Version ${(await (await fetch("version")).json()).version}`;
} catch {
  health.textContent = "The bank does not answer.";
  health.className = "bad";
}

export {};
