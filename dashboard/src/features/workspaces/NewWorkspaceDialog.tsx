import { useState, type FormEvent } from "react";
import { Link, useNavigate } from "react-router";

import { fieldError, formError } from "@/api/error";
import { NodeChoice } from "@/features/nodes/NodeChoice";
import { useProjects } from "@/features/projects/queries";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, inputClass, TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { useCreateWorkspace, useWorkspaces } from "./queries";
import { idleChoices, pathOf } from "./words";
import { branchProblem, emptyForm, toCreate, type WorkspaceForm } from "./workspace-form";

const shownFields = ["project_id", "branch", "new_branch", "node_id", "idle_timeout_seconds"];

interface FieldsProps {
  /** Chosen already. */
  projectId: string;
  onDone: () => void;
}

/** Who has one of this project may have meant that one. */
function AlreadyThere({ projectId }: { projectId: string }) {
  const { data: workspaces = [] } = useWorkspaces();
  const there = workspaces.filter((workspace) => workspace.project_id === projectId && workspace.state !== "deleting");
  if (there.length === 0) return null;
  return (
    <Notice tone="busy">
      You have{" "}
      {there.slice(0, 4).map((workspace, index) => (
        <span key={workspace.id}>
          {index > 0 && ", "}
          <Link to={pathOf(workspace)} className="rounded font-medium underline">
            {workspace.name}
          </Link>
        </span>
      ))}{" "}
      of this project already.
    </Notice>
  );
}

function Fields({ projectId, onDone }: FieldsProps) {
  const { data: projects = [] } = useProjects();
  const sorted = [...projects].sort((a, b) => a.name.localeCompare(b.name));
  const [form, setForm] = useState(() => emptyForm(projectId));
  const create = useCreateWorkspace();
  const navigate = useNavigate();
  // Until one is chosen, the first there is.
  const project = sorted.find((each) => each.id === form.project_id) ?? sorted[0];
  const problems = { branch: branchProblem(form.branch), new_branch: branchProblem(form.new_branch) };

  function change<K extends keyof WorkspaceForm>(field: K) {
    return (value: WorkspaceForm[K]) => {
      create.reset();
      setForm((before) => ({ ...before, [field]: value }));
    };
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!project || problems.branch || problems.new_branch) return;
    create.mutate(toCreate({ ...form, project_id: project.id }), { onSuccess: (workspace) => void navigate(pathOf(workspace)) });
  }

  const failure = formError(create.error, shownFields);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4" data-testid="workspace-form">
      <Field label="Project" error={fieldError(create.error, "project_id")}>
        {(control) => (
          <select {...control} value={project?.id ?? ""} onChange={(event) => change("project_id")(event.target.value)} data-testid="choose-project" className={inputClass}>
            {sorted.map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      {project && <AlreadyThere projectId={project.id} />}
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField
          label="Branch"
          optional
          mono
          placeholder={project?.branch ?? "default branch"}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          value={form.branch}
          onChange={change("branch")}
          error={problems.branch ?? fieldError(create.error, "branch")}
          hint="Or a tag that is there."
        />
        <TextField
          label="New branch"
          optional
          mono
          placeholder="fix/login"
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          value={form.new_branch}
          onChange={change("new_branch")}
          error={problems.new_branch ?? fieldError(create.error, "new_branch")}
          hint="Begun there."
        />
      </div>
      <NodeChoice value={form.node_id} onChange={change("node_id")} error={fieldError(create.error, "node_id")} />
      <Field label="Stop when idle" hint="Nothing typed, no program at work, no visitor. An open page alone does not keep it running." error={fieldError(create.error, "idle_timeout_seconds")}>
        {(control) => (
          <select {...control} value={form.idle_timeout_seconds} onChange={(event) => change("idle_timeout_seconds")(Number(event.target.value))} className={inputClass}>
            {idleChoices.map(({ seconds, label }) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </select>
        )}
      </Field>
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" variant="primary" busy={create.isPending} disabled={!project} data-testid="create-workspace">
          Open workspace
        </Button>
      </div>
    </form>
  );
}

export function NewWorkspaceDialog({ open, projectId, onClose }: { open: boolean; projectId: string; onClose: () => void }) {
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} title="New workspace" description="A checkout of the project on one of your machines, with terminals in the browser.">
      <Fields key={projectId} projectId={projectId} onDone={onClose} />
    </Dialog>
  );
}
