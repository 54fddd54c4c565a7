import { useEffect, useState, type FormEvent } from "react";
import { Navigate, useSearchParams } from "react-router";

import { ApiError, messageOf } from "@/api/error";
import { formatElapsed } from "@/format/time";
import { useNow } from "@/live/now";
import { Button } from "@/ui/Button";
import { PasswordField, TextField } from "@/ui/Field";
import { PageTitle } from "@/ui/PageTitle";
import { Notice } from "@/ui/states";

import { AuthLayout } from "./AuthLayout";
import { useAuthStatus, useLogin } from "./queries";
import { safeNext } from "./setup-code";
import { AuthError } from "./SetupPage";

function LoginProblem({ error, lockedUntil }: { error: unknown; lockedUntil: number }) {
  const now = useNow();
  if (error instanceof ApiError && error.status === 401) return <Notice tone="bad">User name or password is wrong.</Notice>;
  if (error instanceof ApiError && error.status === 429) {
    const left = lockedUntil - now;
    return left > 0 ? (
      <Notice tone="bad">
        Too many tries. You can try again in <span className="font-medium tabular-nums">{formatElapsed(Math.max(left, 1000))}</span>.
      </Notice>
    ) : (
      <Notice>You can try again now.</Notice>
    );
  }
  return <Notice tone="bad">{messageOf(error)}</Notice>;
}

/** To a page of ours, or to a route of the server that leads on to what is not. */
function Onward({ to }: { to: string }) {
  const isServers = to.startsWith("/api/");
  useEffect(() => {
    if (isServers) window.location.replace(to);
  }, [isServers, to]);
  return isServers ? null : <Navigate to={to} replace />;
}

export default function LoginPage() {
  const { data: status, error: statusError, refetch } = useAuthStatus();
  const [search] = useSearchParams();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [lockedUntil, setLockedUntil] = useState(0);
  const locked = useNow() < lockedUntil;
  const login = useLogin();
  const next = safeNext(search.get("next"));

  if (!status) return statusError ? <AuthError error={statusError} onRetry={() => void refetch()} /> : null;
  if (status.users_count === 0) return <Navigate to="/setup" replace />;
  if (status.authenticated) return <Onward to={next} />;

  function submit(event: FormEvent) {
    event.preventDefault();
    if (locked || !username.trim() || !password) return;
    login.mutate(
      { username: username.trim(), password },
      {
        onError: (error) => {
          if (error instanceof ApiError && error.status === 429) setLockedUntil(Date.now() + (error.retryAfter ?? 30) * 1000);
          else setPassword("");
        },
      },
    );
  }

  return (
    <AuthLayout title="Sign in" lead="Your private cloud is one password away.">
      <PageTitle>Sign in</PageTitle>
      <form data-testid="login-form" onSubmit={submit} noValidate className="flex flex-col gap-4">
        <TextField
          label="User name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          value={username}
          onChange={setUsername}
        />
        <PasswordField label="Password" name="password" autoComplete="current-password" value={password} onChange={setPassword} />
        {login.error && <LoginProblem error={login.error} lockedUntil={lockedUntil} />}
        <Button type="submit" variant="primary" busy={login.isPending} disabled={locked} className="mt-1 h-10!">
          Sign in
        </Button>
      </form>
    </AuthLayout>
  );
}
