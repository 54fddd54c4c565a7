import { Plus } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useNavigate } from "react-router";

import { fieldError, formError } from "@/api/error";
import { NodeChoice } from "@/features/nodes/NodeChoice";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { CommandLine } from "@/ui/Copy";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { cli } from "./cli-commands";
import { useCreateProject } from "./queries";

export function UploadProjectForm() {
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [nodeId, setNodeId] = useState("");
  const [tried, setTried] = useState(false);
  const create = useCreateProject();

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!name.trim()) return;
    create.mutate({ name: name.trim(), ...(nodeId && { node_id: nodeId }) }, { onSuccess: ({ project }) => void navigate(`/projects/${project.id}`) });
  }

  const failure = formError(create.error, ["name", "node_id"]);
  return (
    <div className="grid items-start gap-5 lg:grid-cols-2">
      <Card className="p-4 sm:p-5">
        <h2 className="text-[15px] font-semibold">From your terminal</h2>
        <p className="mt-0.5 mb-4 text-[13px] text-faint">One command makes the project and deploys the directory.</p>
        <ol className="flex flex-col gap-3">
          <li>
            <p className="mb-1.5 text-[13px] text-soft">Sign the command line in, once:</p>
            <CommandLine command={cli.login()} />
          </li>
          <li>
            <p className="mb-1.5 text-[13px] text-soft">Send a directory:</p>
            <CommandLine command={cli.deployDirectory} />
          </li>
        </ol>
      </Card>
      <Card className="p-4 sm:p-5">
        <h2 className="text-[15px] font-semibold">Or make the project first</h2>
        <p className="mt-0.5 mb-4 text-[13px] text-faint">It waits for its files. Use this to set its environment variables before the first deployment.</p>
        <form onSubmit={submit} noValidate className="flex flex-col gap-4">
          <TextField
            label="Project name"
            placeholder="your-app"
            autoComplete="off"
            value={name}
            onChange={(value) => {
              create.reset();
              setName(value);
            }}
            error={(tried && !name.trim() ? "Give the project a name." : undefined) ?? fieldError(create.error, "name")}
          />
          <NodeChoice
            value={nodeId}
            onChange={(value) => {
              create.reset();
              setNodeId(value);
            }}
            error={fieldError(create.error, "node_id")}
          />
          {failure && <Notice tone="bad">{failure}</Notice>}
          <div>
            <Button type="submit" variant="primary" icon={Plus} busy={create.isPending}>
              Create project
            </Button>
          </div>
        </form>
      </Card>
    </div>
  );
}
