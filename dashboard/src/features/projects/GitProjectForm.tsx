import { ChevronRight, Rocket } from "lucide-react";
import { useRef, useState, type FormEvent } from "react";
import { useNavigate } from "react-router";

import { fieldError, formError } from "@/api/error";
import { blankRow, problemsOf, toInputs, type EnvRow } from "@/features/env/env-draft";
import { EnvRows } from "@/features/env/EnvRows";
import { NodeChoice } from "@/features/nodes/NodeChoice";
import { Button } from "@/ui/Button";
import { Card, Panel } from "@/ui/Card";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { BuildFields } from "./BuildFields";
import { PlanPreview } from "./PlanPreview";
import { advancedFields, emptyForm, portProblem, toCreate, type FormField, type ProjectForm } from "./project-form";
import { useCreateProject, usePlan } from "./queries";
import { nameFromRepoUrl, repoUrlProblem } from "./repo-url";

const shownFields: readonly FormField[] = ["name", "repo_url", "branch", "node_id", ...advancedFields];

/** Asks for the plan when the source has changed, not at each key. */
function usePlanPreview(form: ProjectForm) {
  const plan = usePlan();
  const asked = useRef("");
  const source = { repo_url: form.repo_url.trim(), branch: form.branch.trim() || undefined, root_directory: form.root_directory.trim() || undefined };
  const canAsk = repoUrlProblem(source.repo_url) === undefined;
  function ask() {
    asked.current = JSON.stringify(source);
    plan.mutate(source);
  }
  function forget() {
    asked.current = "";
    plan.reset();
  }
  function askIfChanged() {
    if (asked.current === JSON.stringify(source)) return;
    if (canAsk) ask();
    else forget(); // It spoke of another address.
  }
  return { plan, canAsk, ask, askIfChanged, forget };
}

export function GitProjectForm() {
  const navigate = useNavigate();
  const [form, setForm] = useState(emptyForm);
  const [named, setNamed] = useState(false);
  const [rows, setRows] = useState<EnvRow[]>(() => [blankRow()]);
  const [tried, setTried] = useState(false);
  /** The address is complete: its reader went on to something else. */
  const [addressLeft, setAddressLeft] = useState(false);
  const [advanced, setAdvanced] = useState(false);
  const create = useCreateProject();
  const preview = usePlanPreview(form);
  const envProblems = problemsOf(rows);

  function change(field: FormField, value: string) {
    create.reset();
    if (field === "repo_url") {
      setAddressLeft(false);
      if (preview.plan.error) preview.forget();
    }
    setForm((before) => {
      const next = { ...before, [field]: value };
      if (field === "repo_url" && !named) next.name = nameFromRepoUrl(value);
      return next;
    });
    if (field === "name") setNamed(value !== "");
  }

  const local: Partial<Record<FormField, string>> = {
    repo_url: repoUrlProblem(form.repo_url),
    name: form.name.trim() ? undefined : "Give the project a name.",
    port: portProblem(form.port),
  };

  function errorOf(field: FormField): string | undefined {
    const asked = tried || (field === "repo_url" && addressLeft && form.repo_url !== "");
    return (asked ? local[field] : undefined) ?? fieldError(create.error, field) ?? fieldError(preview.plan.error, field);
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (local.port) setAdvanced(true);
    if (Object.values(local).some(Boolean) || envProblems.size > 0) return;
    const env = toInputs(rows);
    create.mutate(
      { ...toCreate(form), ...(env.length > 0 && { env_vars: env }) },
      {
        onSuccess: ({ project, deployment }) =>
          void navigate(deployment ? `/projects/${project.id}/deployments/${deployment.id}` : `/projects/${project.id}`),
        onError: (error) => {
          if (advancedFields.some((field) => fieldError(error, field))) setAdvanced(true);
        },
      },
    );
  }

  const planIsAtField = shownFields.some((field) => fieldError(preview.plan.error, field));
  const failure = formError(create.error, shownFields);

  return (
    <form onSubmit={submit} noValidate className="grid items-start gap-5 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <Card className="flex flex-col gap-4 p-4 sm:p-5">
        <TextField
          label="Git URL"
          type="url"
          inputMode="url"
          autoFocus
          placeholder="https://github.com/you/your-app"
          mono
          spellCheck={false}
          autoComplete="off"
          value={form.repo_url}
          onChange={(value) => change("repo_url", value)}
          onBlur={() => {
            setAddressLeft(true);
            preview.askIfChanged();
          }}
          error={errorOf("repo_url")}
          hint="Any public repository over https."
        />
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label="Branch"
            optional
            mono
            placeholder="the default branch"
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="none"
            value={form.branch}
            onChange={(value) => change("branch", value)}
            onBlur={preview.askIfChanged}
            error={errorOf("branch")}
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
        <NodeChoice value={form.node_id} onChange={(value) => change("node_id", value)} error={errorOf("node_id")} />
      </Card>
      <div className="min-w-0 lg:sticky lg:top-6 lg:col-start-2 lg:row-span-5 lg:row-start-1">
        <PlanPreview
          plan={preview.plan.data}
          pending={preview.plan.isPending}
          error={planIsAtField ? undefined : preview.plan.error}
          canAsk={preview.canAsk}
          onAsk={preview.ask}
        />
      </div>
      <details
        open={advanced}
        onToggle={(event) => setAdvanced(event.currentTarget.open)}
        className="group min-w-0 rounded-xl border border-line bg-surface shadow-card"
      >
        <summary className="flex items-center gap-2 rounded-xl px-4 py-3.5 sm:px-5 [&::-webkit-details-marker]:hidden">
          <ChevronRight aria-hidden className="size-4 text-faint transition-transform group-open:rotate-90" />
          <span className="shrink-0 text-[15px] font-semibold">Build and run</span>
          <span className="text-[13px] text-faint">what you leave empty is detected</span>
        </summary>
        <div className="px-4 pt-1 pb-5 sm:px-5">
          <BuildFields form={form} onChange={change} errorOf={errorOf} plan={preview.plan.data} onRootBlur={preview.askIfChanged} withPort withWatch />
        </div>
      </details>
      <Panel title="Environment variables" description="Builds and the running app see them. Kept encrypted.">
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
