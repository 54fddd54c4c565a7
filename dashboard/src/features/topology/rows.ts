/** Of the row that tells more of a machine or provider than the picture does. */
export function rowId(nodeId: string): string {
  return `row-${nodeId}`;
}

/** Goes to a row, as an anchor would; the next Tab goes on in it. The router takes an anchor for another page. */
export function showRow(nodeId: string) {
  const row = document.getElementById(rowId(nodeId));
  if (!row) return;
  row.scrollIntoView({ block: "center" });
  row.focus({ preventScroll: true });
  row.animate({ backgroundColor: ["var(--accent-wash)", "transparent"] }, { duration: 1800, easing: "ease-in" });
}
