/** Calls back when somebody looks at the page again, or the machine has a network again. Returns what ends that. */
export function onReturn(back: () => void): () => void {
  const look = () => {
    if (!document.hidden) back();
  };
  document.addEventListener("visibilitychange", look);
  window.addEventListener("online", look);
  return () => {
    document.removeEventListener("visibilitychange", look);
    window.removeEventListener("online", look);
  };
}
