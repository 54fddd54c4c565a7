import { Switch as RadixSwitch } from "radix-ui";

interface SwitchProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  busy?: boolean;
  testId?: string;
}

/** On or off, at once: there is no button that saves it. */
export function Switch({ label, checked, onChange, busy, testId }: SwitchProps) {
  return (
    <RadixSwitch.Root
      aria-label={label}
      title={label}
      checked={checked}
      disabled={busy}
      onCheckedChange={onChange}
      data-testid={testId}
      className="inline-flex h-5 w-9 shrink-0 items-center rounded-full border border-line-strong bg-sunken p-0.5 transition-colors disabled:opacity-50 data-[state=checked]:border-transparent data-[state=checked]:bg-accent"
    >
      <RadixSwitch.Thumb className="size-3.5 rounded-full bg-soft transition-transform data-[state=checked]:translate-x-4 data-[state=checked]:bg-on-accent" />
    </RadixSwitch.Root>
  );
}
