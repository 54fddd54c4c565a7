import { LogOut, Monitor, Moon, Sun, type LucideIcon } from "lucide-react";
import { ToggleGroup } from "radix-ui";

import { useLogout, useMe, useMeshOnly } from "@/features/auth/queries";
import { GitCard } from "@/features/git/GitCard";
import { Tokens } from "@/features/tokens/Tokens";
import { Chip } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { setTheme, useTheme, type Theme } from "./theme";

const themes: { value: Theme; label: string; icon: LucideIcon }[] = [
  { value: "light", label: "Light", icon: Sun },
  { value: "dark", label: "Dark", icon: Moon },
  { value: "system", label: "System", icon: Monitor },
];

function Appearance() {
  const theme = useTheme();
  return (
    <Panel title="Appearance">
      <ToggleGroup.Root
        type="single"
        aria-label="Theme"
        value={theme}
        onValueChange={(value) => {
          const chosen = themes.find((each) => each.value === value);
          if (chosen) setTheme(chosen.value);
        }}
        className="inline-flex rounded-xl bg-sunken p-1"
      >
        {themes.map(({ value, label, icon: Icon }) => (
          <ToggleGroup.Item
            key={value}
            value={value}
            className="inline-flex h-8 items-center gap-2 rounded-lg px-3 text-soft hover:text-ink data-[state=on]:bg-surface data-[state=on]:font-medium data-[state=on]:text-ink data-[state=on]:shadow-card dark:data-[state=on]:bg-hover"
          >
            <Icon aria-hidden className="size-4" />
            {label}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
    </Panel>
  );
}

function Account() {
  const { data: user } = useMe();
  const logout = useLogout();
  return (
    <Panel title="Account">
      <div className="flex flex-wrap items-center justify-between gap-3">
        {user ? (
          <p className="flex items-center gap-2 font-medium">
            {user.username} <Chip>{user.role}</Chip>
          </p>
        ) : (
          <Skeleton className="h-5 w-40" />
        )}
        <Button size="sm" icon={LogOut} busy={logout.isPending} onClick={() => logout.mutate(undefined, { onError: toast.error })}>
          Sign out
        </Button>
      </div>
    </Panel>
  );
}

export default function SettingsPage() {
  const meshOnly = useMeshOnly();
  return (
    <div className="flex max-w-3xl flex-col gap-5">
      <PageTitle>Settings</PageTitle>
      <PageHeader title="Settings" />
      <Account />
      {!meshOnly && <GitCard />}
      <Tokens />
      <Appearance />
    </div>
  );
}
