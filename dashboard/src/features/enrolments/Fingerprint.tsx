/** A machine's key in short, big enough to be compared with another screen. */
export function Fingerprint({ text, note }: { text: string; note: string }) {
  return (
    <div className="min-w-0 rounded-lg border border-line bg-sunken px-3 py-2">
      <p className="text-[13px] text-faint">Key fingerprint</p>
      <p data-testid="fingerprint" className="font-mono text-xl font-semibold tracking-wide wrap-anywhere">
        {text}
      </p>
      <p className="text-[13px] text-faint">{note}</p>
    </div>
  );
}
