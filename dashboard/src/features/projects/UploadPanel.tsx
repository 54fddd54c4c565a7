import { FileArchive } from "lucide-react";
import { useId, useRef } from "react";
import { useNavigate } from "react-router";

import { messageOf } from "@/api/error";
import type { Project } from "@/api/types";
import { useUpload } from "@/features/deployments/queries";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { CommandLine } from "@/ui/Copy";
import { Notice } from "@/ui/states";

import { cli } from "./cli-commands";

/** How files get here when there is no repository. */
export function UploadPanel({ project }: { project: Project }) {
  const upload = useUpload(project.id);
  const navigate = useNavigate();
  const input = useRef<HTMLInputElement>(null);
  const id = useId();

  function send(file: File | undefined) {
    if (!file) return;
    upload.mutate(file, {
      onSuccess: ({ deployment }) => void navigate(`/projects/${project.id}/deployments/${deployment.id}`),
      onSettled: () => {
        if (input.current) input.current.value = "";
      },
    });
  }

  return (
    <Panel
      title={project.live_deployment ? "Send a new version" : "Send the files"}
      description={project.live_deployment ? "What is live goes on answering until the new version does." : "This project has no repository. Send a directory from your machine, as often as you like."}
    >
      <ol className="flex flex-col gap-3">
        <li>
          <p className="mb-1.5 text-[13px] text-soft">Sign the command line in, once:</p>
          <CommandLine command={cli.login()} />
        </li>
        <li>
          <p className="mb-1.5 text-[13px] text-soft">Send the directory; the app is live when the command ends:</p>
          <CommandLine command={cli.deployTo(project.name)} />
        </li>
      </ol>
      <div className="mt-4 flex flex-wrap items-center gap-3 border-t border-line pt-4 text-[13px] text-faint">
        <input ref={input} id={id} type="file" accept=".tar,.tgz,.gz,.zst" className="sr-only" tabIndex={-1} onChange={(event) => send(event.target.files?.[0])} />
        <label htmlFor={id} className="sr-only">
          Archive to upload
        </label>
        <Button size="sm" icon={FileArchive} busy={upload.isPending} onClick={() => input.current?.click()}>
          {upload.isPending ? "Sending…" : "Choose an archive"}
        </Button>
        Or upload a .tar, .tar.gz or .tar.zst from here.
      </div>
      {upload.error && (
        <div className="mt-3">
          <Notice tone="bad">{messageOf(upload.error)}</Notice>
        </div>
      )}
    </Panel>
  );
}
