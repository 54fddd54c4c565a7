import { Rocket } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useNavigate } from "react-router";

import { fieldError, formError } from "@/api/error";
import { blankRow, problemsOf, toInputs, type EnvRow } from "@/features/env/env-draft";
import { EnvRows } from "@/features/env/EnvRows";
import { Button } from "@/ui/Button";
import { Card, Panel } from "@/ui/Card";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { BuildFields } from "./BuildFields";
import { ImageFields } from "./ImageFields";
import { emptyForm, portProblem, toCreate, type FormField } from "./project-form";
import { useCreateProject } from "./queries";

const shownFields = ["name", "image", "registry_username", "registry_password", "run_command", "health_path", "port"];

export function ImageProjectForm() {
  const navigate = useNavigate();
  const [form, setForm] = useState(emptyForm);
  const [password, setPassword] = useState("");
  const [rows, setRows] = useState<EnvRow[]>(() => [blankRow()]);
  const [tried, setTried] = useState(false);
  const create = useCreateProject();
  const envProblems = problemsOf(rows);

  function change(field: FormField, value: string) {
    create.reset();
    setForm((before) => ({ ...before, [field]: value }));
  }

  const local: Partial<Record<FormField, string>> = {
    name: form.name.trim() ? undefined : "Give the project a name.",
    image: form.image.trim() ? undefined : "Name an image.",
    port: portProblem(form.port),
  };

  function errorOf(field: FormField): string | undefined {
    return (tried ? local[field] : undefined) ?? fieldError(create.error, field);
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (Object.values(local).some(Boolean) || envProblems.size > 0) return;
    const env = toInputs(rows);
    create.mutate(
      { ...toCreate(form), ...(password && { registry_password: password }), ...(env.length > 0 && { env_vars: env }) },
      {
        onSuccess: ({ project, deployment }) =>
          void navigate(deployment ? `/projects/${project.id}/deployments/${deployment.id}` : `/projects/${project.id}`),
      },
    );
  }

  const failure = formError(create.error, shownFields);
  return (
    <form onSubmit={submit} noValidate className="flex max-w-3xl flex-col gap-5">
      <Card className="p-4 sm:p-5">
        <div className="grid gap-4 sm:grid-cols-2">
          <ImageFields
            form={form}
            password={password}
            onPassword={(value) => {
              create.reset();
              setPassword(value);
            }}
            onChange={change}
            errorOf={errorOf}
            passwordError={fieldError(create.error, "registry_password")}
          />
          <TextField
            label="Project name"
            placeholder="your-app"
            autoComplete="off"
            value={form.name}
            onChange={(value) => change("name", value)}
            error={errorOf("name")}
            hint="Gives the app its address."
          />
        </div>
      </Card>
      <Panel title="Run" description="What you leave empty is the image's own.">
        <BuildFields form={form} onChange={change} errorOf={errorOf} withPort withWatch={false} image />
      </Panel>
      <Panel title="Environment variables" description="The running app sees them. Kept encrypted.">
        <EnvRows rows={rows} problems={tried ? envProblems : new Map()} onChange={setRows} />
      </Panel>
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div>
        <Button type="submit" variant="primary" icon={Rocket} busy={create.isPending}>
          Create and deploy
        </Button>
      </div>
    </form>
  );
}
