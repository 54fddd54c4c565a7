import { Eye, EyeOff } from "lucide-react";
import { useId, useState, type ComponentProps, type ReactNode } from "react";

import { classes } from "./classes";
import { Prose } from "./Prose";

export const inputClass = classes(
  "w-full rounded-lg border border-line-strong/80 bg-surface px-3 py-1.5 h-9 text-ink shadow-card",
  "transition-[border-color] hover:border-line-strong",
  "focus-visible:border-accent focus-visible:outline-2 focus-visible:outline-offset-0 focus-visible:outline-accent/35",
  "aria-invalid:border-bad aria-invalid:focus-visible:outline-bad/35",
  "disabled:bg-sunken disabled:text-faint [&:not(select):read-only]:bg-sunken",
);

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string;
  optional?: boolean;
  /** What stands at the right of the label. */
  aside?: ReactNode;
}

interface ControlProps {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

export function Field({ label, hint, error, optional, aside, children }: FieldProps & { children: (control: ControlProps) => ReactNode }) {
  const id = useId();
  // What went wrong says more than the hint, and often the same.
  const shownHint = error ? undefined : hint;
  const described = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
  return (
    <div className="flex min-w-0 flex-col gap-1.5">
      <div className="flex items-baseline justify-between gap-3">
        <label htmlFor={id} className="font-medium">
          {label}
          {optional && <span className="ml-1.5 font-normal text-faint">optional</span>}
        </label>
        {aside}
      </div>
      {children({ id, "aria-describedby": described, "aria-invalid": error ? true : undefined })}
      {error && (
        <p id={`${id}-error`} role="alert" className="text-[13px] text-bad">
          <Prose>{error}</Prose>
        </p>
      )}
      {shownHint && (
        <p id={`${id}-hint`} className="text-[13px] text-faint">
          {shownHint}
        </p>
      )}
    </div>
  );
}

type TextFieldProps = FieldProps &
  Omit<ComponentProps<"input">, "onChange" | "value"> & { value: string; onChange: (value: string) => void; mono?: boolean };

export function TextField({ label, hint, error, optional, aside, value, onChange, mono, className, ...rest }: TextFieldProps) {
  return (
    <Field label={label} hint={hint} error={error} optional={optional} aside={aside}>
      {(control) => (
        <input
          {...control}
          {...rest}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={classes(inputClass, mono && "font-mono text-[13px]", className)}
        />
      )}
    </Field>
  );
}

export function PasswordField({ label, hint, error, optional, value, onChange, className, ...rest }: Omit<TextFieldProps, "mono" | "type">) {
  const [shown, setShown] = useState(false);
  const Icon = shown ? EyeOff : Eye;
  return (
    <Field label={label} hint={hint} error={error} optional={optional}>
      {(control) => (
        <div className="relative">
          <input
            {...control}
            {...rest}
            type={shown ? "text" : "password"}
            value={value}
            onChange={(event) => onChange(event.target.value)}
            className={classes(inputClass, "pr-10", className)}
          />
          <button
            type="button"
            onClick={() => setShown(!shown)}
            aria-label={shown ? "Hide the characters" : "Show the characters"}
            aria-pressed={shown}
            className="absolute inset-y-1 right-1 grid w-8 place-items-center rounded-md text-faint hover:bg-hover hover:text-ink"
          >
            <Icon aria-hidden className="size-4" />
          </button>
        </div>
      )}
    </Field>
  );
}

interface CheckFieldProps {
  label: string;
  hint?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  testId?: string;
}

export function CheckField({ label, hint, checked, onChange, testId }: CheckFieldProps) {
  return (
    <label className="flex min-w-0 items-start gap-2.5">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} data-testid={testId} className="mt-0.5 size-4 shrink-0 accent-accent" />
      <span className="min-w-0">
        {label}
        {hint && <span className="block text-[13px] text-faint">{hint}</span>}
      </span>
    </label>
  );
}
