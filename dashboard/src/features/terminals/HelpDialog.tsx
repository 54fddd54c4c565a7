import { Dialog } from "@/ui/Dialog";

const rows: [string, string][] = [
  ["Ctrl Shift `", "New terminal"],
  ["Ctrl Shift 5", "New terminal beside this one"],
  ["Ctrl Shift [", "Terminal before"],
  ["Ctrl Shift ]", "Terminal after"],
  ["Ctrl Shift ;", "Type into the next one of those side by side"],
  ["Ctrl Shift C", "Copy what is selected (⌘C on a Mac)"],
  ["Ctrl Shift V", "Paste (⌘V on a Mac)"],
  ["Ctrl Shift F", "Search in this terminal"],
  ["Ctrl Shift H", "Search all output, also of earlier"],
  ["Ctrl Shift /", "This list"],
];

export function HelpDialog({ open, onOpenChange, onClosed }: { open: boolean; onOpenChange: (open: boolean) => void; onClosed: () => void }) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} onClosed={onClosed} title="Keys of the terminals" description="All others go to the terminal, also Ctrl K. Hold Shift to select with the mouse in programs that use it themselves.">
      <dl className="grid grid-cols-[auto_1fr] items-baseline gap-x-5 gap-y-2">
        {rows.map(([keys, does]) => (
          <div key={keys} className="contents">
            <dt className="flex gap-1 whitespace-nowrap">
              {keys.split(" ").map((key) => (
                <kbd key={key} className="rounded border border-line bg-sunken px-1.5 font-sans text-xs leading-5">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd className="text-soft">{does}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-4 text-[13px] text-faint">Double-click a tab to rename it. To leave a terminal by keyboard, press Ctrl Shift F and then Shift Tab.</p>
    </Dialog>
  );
}
