import { ChevronsUpDown, LogOut, Monitor, Moon, Sun, User } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { useNavigate } from "react-router";

import { useLogout, useMe } from "@/features/auth/queries";
import { toast } from "@/ui/toast-store";

import { setTheme, useTheme, type Theme } from "./theme";

const itemClass =
  "flex items-center gap-2.5 rounded-lg px-2 py-1.5 outline-none select-none data-highlighted:bg-hover data-[state=checked]:text-accent-ink cursor-default";

const themes: { value: Theme; label: string; icon: typeof Sun }[] = [
  { value: "light", label: "Light theme", icon: Sun },
  { value: "dark", label: "Dark theme", icon: Moon },
  { value: "system", label: "System theme", icon: Monitor },
];

function isTheme(value: string): value is Theme {
  return themes.some((theme) => theme.value === value);
}

export function UserMenu({ compact = false }: { compact?: boolean }) {
  const { data: user } = useMe();
  const theme = useTheme();
  const logout = useLogout();
  const navigate = useNavigate();
  const name = user?.username ?? "…";
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger
        aria-label={compact ? `Account of ${name}` : undefined}
        className={compact ? "rounded-full" : "flex w-full items-center gap-2.5 rounded-lg px-2 py-1.5 text-left hover:bg-hover data-[state=open]:bg-hover"}
      >
        <span aria-hidden className="grid size-7 shrink-0 place-items-center rounded-full bg-accent-wash text-xs font-semibold text-accent-ink uppercase">
          {name.slice(0, 1)}
        </span>
        {!compact && (
          <>
            <span className="min-w-0 flex-1 truncate font-medium">
              <span className="sr-only">Account of </span>
              {name}
            </span>
            <ChevronsUpDown aria-hidden className="size-4 text-faint" />
          </>
        )}
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={compact ? "end" : "start"}
          sideOffset={6}
          collisionPadding={8}
          className="z-50 min-w-52 rounded-xl border border-line bg-raised p-1 shadow-pop data-[state=open]:animate-rise"
        >
          <DropdownMenu.Label className="px-2 py-1.5 text-[13px] text-faint">
            {name} · {user?.role}
          </DropdownMenu.Label>
          <DropdownMenu.Item className={itemClass} onSelect={() => void navigate("/settings")}>
            <User aria-hidden className="size-4 text-faint" /> Account and tokens
          </DropdownMenu.Item>
          <DropdownMenu.Separator className="my-1 h-px bg-line" />
          <DropdownMenu.RadioGroup
            value={theme}
            onValueChange={(value) => {
              if (isTheme(value)) setTheme(value);
            }}
          >
            {themes.map(({ value, label, icon: Icon }) => (
              <DropdownMenu.RadioItem key={value} value={value} className={itemClass} onSelect={(event) => event.preventDefault()}>
                <Icon aria-hidden className="size-4" /> {label}
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
          <DropdownMenu.Separator className="my-1 h-px bg-line" />
          <DropdownMenu.Item className={itemClass} onSelect={() => logout.mutate(undefined, { onError: toast.error })}>
            <LogOut aria-hidden className="size-4 text-faint" /> Sign out
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
