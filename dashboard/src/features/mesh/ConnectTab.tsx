import { BrainCircuit, CircleCheck, Plus } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";

import { useModelNames } from "@/features/completions/queries";
import { CreateTokenDialog } from "@/features/tokens/CreateToken";
import { Button, ButtonLink } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { CopyButton } from "@/ui/Copy";
import { PageTitle } from "@/ui/PageTitle";
import { Prose } from "@/ui/Prose";
import { Notice } from "@/ui/states";

import { addressesOf, NO_MODEL, NO_TOKEN, snippetsOf, type Address } from "./connect";
import { useMesh } from "./queries";
import { SnippetTabs } from "./SnippetTabs";

function NoModels() {
  return (
    <Notice
      icon={BrainCircuit}
      action={
        <ButtonLink to="/models/machines?new" size="sm" icon={Plus}>
          Add a machine
        </ButtonLink>
      }
    >
      {`No machine serves a model now, so there is nothing to ask yet. Add one that has models; until it is approved and connected, the snippets say \`${NO_MODEL}\`.`}
    </Notice>
  );
}

function Addresses({ addresses }: { addresses: Address[] }) {
  return (
    <Panel title="Addresses" description="Programs that were made for one of these ask the models of this mesh at its address.">
      <dl className="flex flex-col gap-1">
        {addresses.map(({ name, url, note }) => (
          <div key={name} className="flex items-start gap-3">
            <dt className="w-20 shrink-0 py-1 text-[13px] text-faint">{name}</dt>
            <dd className="min-w-0 flex-1 py-1">
              <span data-testid="connect-address" data-name={name} className="font-mono text-[13px] wrap-anywhere">
                {url}
              </span>
              {note && <span className="block text-[13px] text-faint">{note}</span>}
            </dd>
            <CopyButton text={url} label={`Copy the address for ${name}`} />
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function TokenPanel({ made, onCreated }: { made: boolean; onCreated: (token: string) => void }) {
  const [creating, setCreating] = useState(false);
  return (
    <Panel
      title="Token"
      description="Programs show an API token. One that asks models only opens nothing else, and what it asks is paid with your credits."
      actions={
        <Button size="sm" icon={Plus} onClick={() => setCreating(true)} data-testid="connect-token">
          Create a token
        </Button>
      }
    >
      <div role="status">
        {made ? (
          <Notice tone="good" icon={CircleCheck}>
            The snippets below carry your new token until you leave this page. After that nobody sees it again.
          </Notice>
        ) : (
          <p className="text-soft">
            <Prose>{`A token is shown once. Create one here, and the snippets below carry it instead of \`${NO_TOKEN}\`.`}</Prose>
          </p>
        )}
      </div>
      <p className="mt-2 text-[13px] text-faint">
        The ones that you have are in the{" "}
        <Link to="/settings" className="rounded text-accent-ink underline decoration-accent-ink/40 underline-offset-2 hover:decoration-accent-ink">
          settings
        </Link>
        , where you can also revoke them.
      </p>
      <CreateTokenDialog open={creating} onOpenChange={setCreating} access="models" onCreated={onCreated} />
    </Panel>
  );
}

/** How programs use the models of this mesh. */
export default function ConnectTab() {
  const { data: mesh } = useMesh();
  const { data: models } = useModelNames();
  // Nowhere else: who leaves the page has seen it for the last time.
  const [token, setToken] = useState<string>();
  const page = window.location;
  const ollamaUrl = mesh?.ollama_url;
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Connect · Models</PageTitle>
      {models?.length === 0 && <NoModels />}
      <Addresses addresses={addressesOf(page, ollamaUrl)} />
      <TokenPanel made={token !== undefined} onCreated={setToken} />
      <Panel title="Snippets" description="Say how many tokens an answer may have: what it may cost at most is set aside before it begins.">
        <SnippetTabs snippets={snippetsOf({ page, ollamaUrl, model: models?.[0], token })} />
      </Panel>
    </div>
  );
}
