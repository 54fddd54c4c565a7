import { useEffect, useState } from "react";

/** What has been the same for a while: of a text that may be wrong for a moment. */
export function useLasting(text: string, ms: number): string {
  const [lasting, setLasting] = useState(text);
  useEffect(() => {
    const timer = window.setTimeout(() => setLasting(text), ms);
    return () => window.clearTimeout(timer);
  }, [text, ms]);
  return lasting;
}
