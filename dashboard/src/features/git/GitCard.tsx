import { GitBranch } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import type { WorkSettings } from "@/api/types";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { PasswordField, TextField } from "@/ui/Field";
import { RelativeTime } from "@/ui/RelativeTime";
import { Loading, Notice, Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { useGitCredentials, useRemoveGitCredential, useSaveWorkSettings, useSetGitCredential, useWorkSettings } from "./queries";

function IdentityForm({ settings }: { settings: WorkSettings }) {
  const [name, setName] = useState(settings.git_name ?? "");
  const [email, setEmail] = useState(settings.git_email ?? "");
  const [dotfiles, setDotfiles] = useState(settings.dotfiles_url ?? "");
  const save = useSaveWorkSettings();
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        const body = { git_name: name || undefined, git_email: email || undefined, dotfiles_url: dotfiles || undefined };
        save.mutate(body, { onSuccess: () => toast.good("Saved. New workspaces begin with it.") });
      }}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label="Name" placeholder="Ada Lovelace" value={name} onChange={setName} />
        <TextField label="E-mail" type="email" placeholder="ada@example.com" value={email} onChange={setEmail} />
      </div>
      <TextField
        label="Dotfiles"
        optional
        mono
        placeholder="https://github.com/ada/dotfiles"
        hint="A repository that is cloned into the home directory of a new workspace."
        value={dotfiles}
        onChange={setDotfiles}
      />
      {save.error && <Notice tone="bad">{messageOf(save.error)}</Notice>}
      <div>
        <Button type="submit" size="sm" busy={save.isPending} data-testid="git-identity-save">
          Save
        </Button>
      </div>
    </form>
  );
}

function CredentialForm() {
  const [host, setHost] = useState("");
  const [username, setUsername] = useState("");
  const [token, setToken] = useState("");
  const set = useSetGitCredential();
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        const credential = { host: host.trim(), token, ...(username.trim() === "" ? {} : { username: username.trim() }) };
        set.mutate(credential, {
          onSuccess: () => {
            toast.good(`The credential for ${credential.host} is set.`);
            setHost("");
            setUsername("");
            setToken("");
          },
        });
      }}
    >
      <div className="grid gap-4 sm:grid-cols-3">
        <TextField label="Host" mono placeholder="github.com" value={host} onChange={setHost} />
        <TextField label="User name" optional autoComplete="off" placeholder="x-access-token" value={username} onChange={setUsername} />
        <PasswordField label="Token" autoComplete="off" value={token} onChange={setToken} />
      </div>
      {set.error && <Notice tone="bad">{messageOf(set.error)}</Notice>}
      <div>
        <Button type="submit" size="sm" busy={set.isPending} disabled={host.trim() === "" || token === ""} data-testid="git-credential-save">
          Set credential
        </Button>
      </div>
    </form>
  );
}

function Credentials() {
  const { data: credentials, error } = useGitCredentials();
  const remove = useRemoveGitCredential();
  return (
    <div className="flex flex-col gap-3 border-t border-line pt-4">
      <div>
        <h3 className="font-medium">Credentials</h3>
        <p className="text-[13px] text-faint">What your workspaces show when you fetch or push. Kept encrypted, and never shown again.</p>
      </div>
      {error && <Notice tone="bad">{messageOf(error)}</Notice>}
      {credentials && credentials.length > 0 && (
        <ul aria-label="Git credentials" className="divide-y divide-line">
          {credentials.map(({ host, username, updated_at }) => (
            <li key={host} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 py-2">
              <p className="min-w-0">
                <span className="font-mono text-[13px] break-all">{host}</span>
                <span className="block text-[13px] text-faint">
                  as {username} · set <RelativeTime at={updated_at} />
                </span>
              </p>
              <Button
                size="sm"
                aria-label={`Remove ${host}`}
                busy={remove.isPending && remove.variables === host}
                onClick={() => remove.mutate(host, { onError: toast.error })}
              >
                Remove
              </Button>
            </li>
          ))}
        </ul>
      )}
      <CredentialForm />
    </div>
  );
}

/** Whose commits workspaces make, and what they show to git servers. */
export function GitCard() {
  const { data: settings, error } = useWorkSettings();
  return (
    <Panel
      title="Git"
      description={
        <>
          <GitBranch aria-hidden className="mr-1 inline size-3.5 align-[-2px]" />
          Whose commits your workspaces make, and how they reach your repositories.
        </>
      }
    >
      <div className="flex flex-col gap-5">
        {error && <Notice tone="bad">{messageOf(error)}</Notice>}
        {settings ? (
          <IdentityForm settings={settings} />
        ) : (
          !error && (
            <Loading label="Loading your settings">
              <Skeleton className="h-9" />
            </Loading>
          )
        )}
        <Credentials />
      </div>
    </Panel>
  );
}
