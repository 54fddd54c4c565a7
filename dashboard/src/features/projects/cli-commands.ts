/** What the pages tell people to type. */
export const cli = {
  deployDirectory: "nanoscale deploy ./dir",
  login: () => `nanoscale login ${window.location.origin}`,
  deployTo: (project: string) => `nanoscale deploy ./dir --project ${quote(project || "my-app")}`,
};

function quote(word: string): string {
  return /^[A-Za-z0-9._/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
