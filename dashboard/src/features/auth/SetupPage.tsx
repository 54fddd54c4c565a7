import { CircleCheck } from "lucide-react";
import { useEffect, useState, type FormEvent } from "react";
import { Navigate, useLocation, useNavigate } from "react-router";

import { ApiError, fieldError, formError, messageOf } from "@/api/error";
import { Button } from "@/ui/Button";
import { PasswordField, TextField } from "@/ui/Field";
import { PageTitle } from "@/ui/PageTitle";
import { ErrorState, Notice } from "@/ui/states";

import { AuthLayout } from "./AuthLayout";
import { useAuthStatus, useSetup } from "./queries";
import { codeFromHash } from "./setup-code";

const MIN_PASSWORD = 8;

export default function SetupPage() {
  const { data: status, error: statusError, refetch } = useAuthStatus();
  const navigate = useNavigate();
  const location = useLocation();
  const [linked, setLinked] = useState(() => codeFromHash(location.hash));
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState(linked);
  const [tried, setTried] = useState(false);
  const setup = useSetup();

  // Opened in a tab that already shows this page, the link changes only the fragment.
  const fromHash = codeFromHash(location.hash);
  if (fromHash && fromHash !== linked) {
    setLinked(fromHash);
    setCode(fromHash);
  }

  // The code must not stay in the address bar or the history.
  useEffect(() => {
    if (location.hash) void navigate({ pathname: location.pathname, search: location.search }, { replace: true });
  }, [location, navigate]);

  if (!status) return statusError ? <AuthError error={statusError} onRetry={() => void refetch()} /> : null;
  if (status.authenticated) return <Navigate to="/" replace />;
  if (status.users_count > 0) return <Navigate to="/login" replace />;

  const problems = {
    username: username.trim() ? undefined : "Choose a user name.",
    password: password.length >= MIN_PASSWORD ? undefined : `At least ${MIN_PASSWORD} characters.`,
    code: code.trim() ? undefined : "The server printed it when it started.",
  };

  const wrongCode = setup.error instanceof ApiError && setup.error.code === "WRONG_SETUP_CODE";

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (Object.values(problems).some(Boolean)) return;
    setup.mutate(
      { username: username.trim(), password, code: code.trim() },
      {
        onSuccess: () => void navigate("/", { replace: true }),
        // Somebody else may have been faster.
        onError: () => void refetch(),
      },
    );
  }

  function errorOf(field: keyof typeof problems): string | undefined {
    const refused = field === "code" && wrongCode ? messageOf(setup.error) : fieldError(setup.error, field);
    return (tried ? problems[field] : undefined) ?? refused;
  }

  const failure = wrongCode ? undefined : formError(setup.error, ["username", "password", "code"]);
  return (
    <AuthLayout title="Set up NanoScale" lead="Make the first account. It administers this server.">
      <PageTitle>Set up</PageTitle>
      <form data-testid="setup-form" onSubmit={submit} noValidate className="flex flex-col gap-4">
        <TextField
          label="User name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          value={username}
          onChange={setUsername}
          error={errorOf("username")}
        />
        <PasswordField
          label="Password"
          name="password"
          autoComplete="new-password"
          value={password}
          onChange={setPassword}
          error={errorOf("password")}
          hint={tried && problems.password ? undefined : `At least ${MIN_PASSWORD} characters.`}
        />
        <TextField
          label="Setup code"
          name="code"
          mono
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={code}
          onChange={setCode}
          error={errorOf("code")}
          hint={
            linked && code === linked ? (
              <span className="inline-flex items-center gap-1 text-good">
                <CircleCheck aria-hidden className="size-3.5" /> Filled in from your link
              </span>
            ) : (
              "The server printed it when it started. It proves that this machine is yours."
            )
          }
        />
        {failure && <Notice tone="bad">{failure}</Notice>}
        <Button type="submit" variant="primary" busy={setup.isPending} className="mt-1 h-10!">
          Create account
        </Button>
      </form>
    </AuthLayout>
  );
}

export function AuthError({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  return (
    <main className="grid min-h-dvh place-items-center px-4">
      <ErrorState title="NanoScale does not answer" error={error} onRetry={onRetry} />
    </main>
  );
}
