import { Trash2 } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useNavigate } from "react-router";

import { fieldError, formError, messageOf } from "@/api/error";
import type { Project } from "@/api/types";
import { ProjectCache } from "@/features/caches/ProjectCache";
import { RedeployButton } from "@/features/deployments/actions";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Confirm } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { PageTitle } from "@/ui/PageTitle";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { BuildFields } from "./BuildFields";
import { ImageFields } from "./ImageFields";
import { useProjectContext } from "./project-context";
import { PlacementSettings } from "./PlacementSettings";
import { fromProject, toUpdate, updatableFields, type FormField } from "./project-form";
import { useDeleteProject, useUpdateProject } from "./queries";
import { addressOf, repoUrlProblem } from "./repo-url";
import { RuntimeSettings } from "./RuntimeSettings";

function SettingsForm({ project }: { project: Project }) {
  const [form, setForm] = useState(() => fromProject(project));
  const [saved, setSaved] = useState(false);
  const save = useUpdateProject(project.id);
  const [password, setPassword] = useState("");
  const update = { ...toUpdate(form, project), ...(password && { registry_password: password }) };
  const changed = Object.keys(update).length > 0;
  const plan = (project.latest_deployment ?? project.live_deployment)?.plan ?? undefined;

  function change(field: FormField, value: string) {
    save.reset();
    setForm((before) => ({ ...before, [field]: value }));
  }

  function errorOf(field: FormField): string | undefined {
    if (field === "name" && !form.name.trim()) return "A project needs a name.";
    if (field === "repo_url" && "repo_url" in update) return repoUrlProblem(form.repo_url) ?? fieldError(save.error, field);
    return fieldError(save.error, field);
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!changed || updatableFields.some((field) => errorOf(field) && !save.error)) return;
    // Renaming and watching need no new build, everything else does.
    const needsDeployment = Object.keys(update).some((field) => field !== "name" && field !== "watch_paths");
    save.mutate(update, {
      onSuccess: () => {
        toast.good("Settings saved.");
        setPassword("");
        setSaved(needsDeployment);
      },
    });
  }

  const failure = formError(save.error, [...updatableFields, "registry_password"]);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-5">
      <Panel title="General">
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField label="Project name" autoComplete="off" value={form.name} onChange={(value) => change("name", value)} error={errorOf("name")} />
          {project.source === "image" && (
            <ImageFields
              project={project}
              form={form}
              password={password}
              onPassword={(value) => {
                save.reset();
                setPassword(value);
              }}
              onChange={change}
              errorOf={errorOf}
              passwordError={fieldError(save.error, "registry_password")}
            />
          )}
          {project.source === "git" && (
            <>
              <TextField
                label="Branch"
                mono
                placeholder="the default branch"
                spellCheck={false}
                autoComplete="off"
                value={form.branch}
                onChange={(value) => change("branch", value)}
                error={errorOf("branch")}
              />
              <div className="sm:col-span-2">
                <TextField
                  label="Git URL"
                  type="url"
                  mono
                  spellCheck={false}
                  autoComplete="off"
                  value={form.repo_url}
                  onChange={(value) => change("repo_url", value)}
                  error={errorOf("repo_url")}
                />
              </div>
            </>
          )}
        </div>
      </Panel>
      <Panel title="Build and run" description="What you leave empty is detected. Changes take effect with the next deployment.">
        <BuildFields form={form} onChange={change} errorOf={errorOf} plan={plan} withPort={false} withWatch={project.source === "git"} image={project.source === "image"} />
      </Panel>
      {failure && <Notice tone="bad">{failure}</Notice>}
      {saved && !changed && (
        <Notice tone="busy" action={project.latest_deployment ? <RedeployButton projectId={project.id} size="sm" label="Redeploy to apply" testId="redeploy-apply" onStarted={() => setSaved(false)} /> : undefined}>
          Saved. What runs now stays as it is until the next deployment.
        </Notice>
      )}
      <div className="flex gap-3">
        <Button type="submit" variant="primary" busy={save.isPending} disabled={!changed}>
          Save changes
        </Button>
        {changed && (
          <Button
            variant="ghost"
            onClick={() => {
              setForm(fromProject(project));
              setPassword("");
            }}
          >
            Discard
          </Button>
        )}
      </div>
    </form>
  );
}

function DangerZone({ project }: { project: Project }) {
  const navigate = useNavigate();
  const remove = useDeleteProject(project.id);
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState("");

  function change(next: boolean) {
    setOpen(next);
    setTyped("");
    remove.reset();
  }

  return (
    <Panel title="Delete this project" tone="bad" description="Stops the app and removes its releases, volumes, logs and variables. Its address stops answering. There is no way back.">
      <Button variant="danger" icon={Trash2} data-testid="delete-project" onClick={() => change(true)}>
        Delete project
      </Button>
      <Confirm
        open={open}
        onOpenChange={change}
        title={`Delete ${project.name}?`}
        description={
          <>
            The app at <strong className="font-medium text-ink">{addressOf(project)}</strong> goes away with everything that belongs to it.
          </>
        }
        confirm="Delete for good"
        testId="delete-confirm"
        danger
        busy={remove.isPending}
        allowed={typed.trim() === project.name}
        error={remove.error ? messageOf(remove.error) : undefined}
        onConfirm={() =>
          remove.mutate(undefined, {
            onSuccess: () => {
              toast.good(`${project.name} is being removed.`);
              void navigate("/");
            },
          })
        }
      >
        <TextField label={`Type ${project.name} to confirm`} autoFocus autoComplete="off" spellCheck={false} value={typed} onChange={setTyped} />
      </Confirm>
    </Panel>
  );
}

export default function SettingsTab() {
  const { project } = useProjectContext();
  return (
    <div className="flex max-w-3xl flex-col gap-5">
      <PageTitle>{`Settings · ${project.name}`}</PageTitle>
      <SettingsForm key={project.id} project={project} />
      <RuntimeSettings key={`${project.id} runtime`} project={project} />
      <PlacementSettings key={`${project.id} ${project.node_id} ${project.replicas} ${project.reschedule}`} project={project} />
      <ProjectCache projectId={project.id} />
      <DangerZone project={project} />
    </div>
  );
}
