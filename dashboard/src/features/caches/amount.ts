/** Bytes of a number of megabytes; none when nothing was written. */
export function megabytes(text: string): number | undefined {
  const written = text.trim();
  return /^\d+$/.test(written) ? Number(written) * 1024 ** 2 : undefined;
}

export function megabytesProblem(text: string): string | undefined {
  const written = text.trim();
  if (written === "" || (/^\d{1,9}$/.test(written) && Number(written) > 0)) return undefined;
  return "Write a whole number of megabytes.";
}
