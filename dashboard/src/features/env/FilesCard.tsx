import { FileLock2, Plus } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import type { RuntimeFile } from "@/api/types";
import { formatBytes } from "@/format/quantity";
import { Chip } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { classes } from "@/ui/classes";
import { Confirm, Dialog } from "@/ui/Dialog";
import { CheckField, Field, inputClass, TextField } from "@/ui/Field";
import { RelativeTime } from "@/ui/RelativeTime";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { useRemoveFile, useSetFile } from "./queries";

function FileForm({ projectId, file, onDone }: { projectId: string; file?: RuntimeFile; onDone: () => void }) {
  const [path, setPath] = useState(file?.path ?? "");
  const [content, setContent] = useState(file?.content ?? "");
  const [secret, setSecret] = useState(file?.is_secret ?? true);
  const save = useSetFile(projectId);
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(
          { path, content, is_secret: secret },
          {
            onSuccess: () => {
              toast.good(`${path} is saved. The next deployment gets it.`);
              onDone();
            },
          },
        );
      }}
    >
      <TextField
        label="Path"
        mono
        required
        readOnly={file !== undefined}
        autoFocus={file === undefined}
        placeholder="~/.npmrc"
        hint="~/… in the home directory, /… absolute, anything else among the project's own files."
        value={path}
        onChange={setPath}
      />
      <Field label="Content" hint={file?.is_secret ? "What is stored is secret and not shown. This replaces it." : undefined}>
        {(control) => (
          <textarea
            {...control}
            rows={10}
            spellCheck={false}
            autoComplete="off"
            value={content}
            onChange={(event) => setContent(event.target.value)}
            className={classes(inputClass, "h-auto font-mono text-[13px]")}
          />
        )}
      </Field>
      <CheckField label="Secret" hint="Its content is never shown again." checked={secret} onChange={setSecret} />
      {save.error && <Notice tone="bad">{messageOf(save.error)}</Notice>}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" variant="primary" busy={save.isPending} disabled={path.trim() === ""} data-testid="file-save">
          Save
        </Button>
      </div>
    </form>
  );
}

function FileRow({ file, onEdit, onRemove }: { file: RuntimeFile; onEdit: () => void; onRemove: () => void }) {
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 py-3">
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-2 font-mono text-[13px] break-all">
          {file.path} <Chip>{file.is_secret ? "secret" : "plain"}</Chip>
        </p>
        <p className="text-[13px] text-faint">
          {formatBytes(file.size_bytes)} · changed <RelativeTime at={file.updated_at} />
        </p>
      </div>
      <div className="flex gap-2">
        <Button size="sm" aria-label={`Edit ${file.path}`} onClick={onEdit}>
          {file.is_secret ? "Replace" : "Edit"}
        </Button>
        <Button size="sm" aria-label={`Remove ${file.path}`} onClick={onRemove}>
          Remove
        </Button>
      </div>
    </li>
  );
}

/** Files that the project's processes and workspaces find. */
export function FilesCard({ projectId, files }: { projectId: string; files: readonly RuntimeFile[] }) {
  const [editing, setEditing] = useState<RuntimeFile | "new" | null>(null);
  const [removing, setRemoving] = useState<RuntimeFile | null>(null);
  const remove = useRemoveFile(projectId);
  const file = editing === "new" || editing === null ? undefined : editing;
  return (
    <Panel
      title="Files"
      description="Configuration and credentials that the running app and workspaces find as files. Kept encrypted; builds do not see them."
      actions={
        <Button size="sm" icon={Plus} onClick={() => setEditing("new")}>
          New file
        </Button>
      }
    >
      {files.length === 0 ? (
        <p className="flex items-center gap-2 py-2 text-faint">
          <FileLock2 aria-hidden className="size-4" /> No file yet.
        </p>
      ) : (
        <ul aria-label="Files" className="-my-3 divide-y divide-line">
          {files.map((each) => (
            <FileRow
              key={each.path}
              file={each}
              onEdit={() => setEditing(each)}
              onRemove={() => {
                remove.reset();
                setRemoving(each);
              }}
            />
          ))}
        </ul>
      )}
      <Dialog
        open={editing !== null}
        onOpenChange={(open) => {
          if (!open) setEditing(null);
        }}
        title={file ? file.path : "New file"}
      >
        <FileForm key={file?.path} projectId={projectId} file={file} onDone={() => setEditing(null)} />
      </Dialog>
      <Confirm
        open={removing !== null}
        onOpenChange={(open) => {
          if (!open) setRemoving(null);
        }}
        title={`Remove ${removing?.path ?? "the file"}?`}
        description="What runs now keeps it; the next deployment does not have it."
        confirm="Remove"
        danger
        busy={remove.isPending}
        error={remove.error ? messageOf(remove.error) : undefined}
        onConfirm={() => {
          if (!removing) return;
          remove.mutate(removing.path, { onSuccess: () => setRemoving(null) });
        }}
      />
    </Panel>
  );
}
