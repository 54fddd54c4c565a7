import { CircleCheck, KeyRound } from "lucide-react";
import { useMemo, useState } from "react";

import { messageOf } from "@/api/error";
import type { Project } from "@/api/types";
import { RedeployButton } from "@/features/deployments/actions";
import { useProjectContext } from "@/features/projects/project-context";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { PageTitle } from "@/ui/PageTitle";
import { ErrorState, Loading, Notice, Skeleton } from "@/ui/states";

import { afterSave, blankRow, changesOf, fromStored, isChanged, problemsOf, toUpdates, type EnvChanges, type EnvRow, type StoredVar } from "./env-draft";
import { EnvRows } from "./EnvRows";
import { FilesCard } from "./FilesCard";
import { useRuntimeConfig, useSaveEnv } from "./queries";

function describe({ added, replaced, removed }: EnvChanges): string {
  return [added && `${added} new`, replaced && `${replaced} replaced`, removed && `${removed} removed`].filter(Boolean).join(", ");
}

function startRows(stored: readonly StoredVar[]): EnvRow[] {
  return stored.length > 0 ? fromStored(stored) : [blankRow()];
}

function EnvForm({ project, stored }: { project: Project; stored: readonly StoredVar[] }) {
  // The draft belongs to the reader until it is saved; a reload in the background must not take it away.
  const [base, setBase] = useState(stored);
  const [rows, setRows] = useState(() => startRows(stored));
  const [saved, setSaved] = useState(false);
  const [tried, setTried] = useState(false);
  const save = useSaveEnv(project.id);
  const problems = useMemo(() => problemsOf(rows), [rows]);
  const changes = changesOf(rows, base);
  const changed = isChanged(changes);

  if (stored !== base && !changed) {
    setBase(stored);
    setRows(startRows(stored));
  }

  function submit() {
    setTried(true);
    if (problems.size > 0 || !changed) return;
    const now = afterSave(rows);
    save.mutate(toUpdates(rows), {
      onSuccess: () => {
        setBase(now);
        setRows(startRows(now));
        setSaved(true);
        setTried(false);
      },
    });
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <EnvRows
        withSecrets
        rows={rows}
        problems={tried ? problems : new Map()}
        onChange={(next) => {
          setRows(next);
          save.reset();
        }}
      />
      <div className="mt-4 flex flex-col gap-3 border-t border-line pt-4">
        {save.error && <Notice tone="bad">{messageOf(save.error)}</Notice>}
        {saved && !changed && (
          <Notice
            tone="busy"
            icon={CircleCheck}
            action={project.latest_deployment ? <RedeployButton projectId={project.id} size="sm" label="Redeploy to apply" testId="redeploy-apply" onStarted={() => setSaved(false)} /> : undefined}
          >
            Saved. The next deployment gets these variables; what runs now keeps the ones it started with.
          </Notice>
        )}
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" variant="primary" busy={save.isPending} disabled={!changed} data-testid="env-save">
            Save
          </Button>
          {changed && (
            <>
              <Button variant="ghost" onClick={() => setRows(startRows(base))}>
                Discard
              </Button>
              <span className="text-[13px] text-faint" role="status">
                {describe(changes)}
              </span>
            </>
          )}
        </div>
      </div>
    </form>
  );
}

export default function EnvTab() {
  const { project } = useProjectContext();
  const { data, error, refetch } = useRuntimeConfig(project.id);
  return (
    <>
      <PageTitle>{`Environment · ${project.name}`}</PageTitle>
      {!data && error ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : (
        <div className="flex flex-col gap-5">
          <Panel
            title="Environment variables"
            description={
              <>
                <KeyRound aria-hidden className="mr-1 inline size-3.5 align-[-2px]" />
                Kept encrypted. Builds, the running app and workspaces see them; the value of a secret is never shown again.
              </>
            }
          >
            {data ? (
              <EnvForm key={project.id} project={project} stored={data.env_vars} />
            ) : (
              <Loading label="Loading the variables" className="flex flex-col gap-2.5">
                {[1, 2, 3].map((row) => (
                  <Skeleton key={row} className="h-9" />
                ))}
              </Loading>
            )}
          </Panel>
          {data && <FilesCard projectId={project.id} files={data.files} />}
        </div>
      )}
    </>
  );
}
