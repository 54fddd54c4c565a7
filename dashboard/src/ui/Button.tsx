import { LoaderCircle, type LucideIcon } from "lucide-react";
import type { ComponentProps } from "react";
import { Link, type LinkProps } from "react-router";

import { classes } from "./classes";

type Variant = "primary" | "secondary" | "ghost" | "danger";
type Size = "sm" | "md" | "icon";

interface Look {
  variant?: Variant;
  size?: Size;
  icon?: LucideIcon;
}

const variants: Record<Variant, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong border-transparent shadow-card",
  secondary: "bg-surface text-ink border-line-strong/70 hover:bg-hover shadow-card",
  ghost: "border-transparent text-soft hover:bg-hover hover:text-ink",
  danger: "bg-bad-solid text-white border-transparent hover:brightness-110 shadow-card",
};

const sizes: Record<Size, string> = {
  sm: "h-8 px-2.5 text-[13px]",
  md: "h-9 px-3.5",
  icon: "size-8 justify-center",
};

export function buttonClass(variant: Variant = "secondary", size: Size = "md", className?: string): string {
  return classes(
    "inline-flex shrink-0 items-center justify-center gap-2 rounded-lg border font-medium whitespace-nowrap select-none",
    "transition-colors duration-100 disabled:opacity-50 aria-disabled:opacity-50",
    variants[variant],
    sizes[size],
    className,
  );
}

interface ButtonProps extends ComponentProps<"button">, Look {
  busy?: boolean;
}

export function Button({ variant, size, icon: Icon, busy = false, className, children, disabled, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={buttonClass(variant, size, className)}
      {...rest}
    >
      {busy ? <LoaderCircle aria-hidden className="size-4 animate-spin" /> : Icon && <Icon aria-hidden className="size-4" />}
      {children}
    </button>
  );
}

export function ButtonLink({ variant, size, icon: Icon, className, children, ...rest }: LinkProps & Look) {
  return (
    <Link className={buttonClass(variant, size, className)} {...rest}>
      {Icon && <Icon aria-hidden className="size-4" />}
      {children}
    </Link>
  );
}

interface IconButtonProps extends Omit<ButtonProps, "children" | "size"> {
  label: string;
  icon: LucideIcon;
}

export function IconButton({ label, variant = "ghost", ...rest }: IconButtonProps) {
  return <Button size="icon" variant={variant} aria-label={label} title={label} {...rest} />;
}
