import { Plus } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import { isForbidden } from "@/features/ledger/queries";
import { isMeshOff } from "@/features/mesh/queries";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Loading, Notice, Skeleton } from "@/ui/states";

import { AddProviderDialog } from "./ProviderDialog";
import { ProviderRow } from "./ProviderRow";
import { useHostedProviders } from "./queries";

/** Companies that serve models. For administrators; others see nothing of it. */
export function HostedProviders() {
  const { data: providers, error, refetch } = useHostedProviders();
  const [adding, setAdding] = useState(false);
  if (isForbidden(error) || isMeshOff(error)) return null;
  return (
    <div data-testid="hosted-providers">
      <Panel
        title="Hosted providers"
        description="Companies that serve models, asked with an API key of yours. You have their bill, and what is paid for their answers is the coordinator's."
        actions={
          <Button size="sm" icon={Plus} disabled={!providers} onClick={() => setAdding(true)} data-testid="provider-add">
            Add provider
          </Button>
        }
      >
        {!providers && error && (
          <Notice
            tone="bad"
            action={
              <Button size="sm" onClick={() => void refetch()}>
                Try again
              </Button>
            }
          >
            {messageOf(error)}
          </Notice>
        )}
        {!providers && !error && (
          <Loading label="Loading the hosted providers">
            <Skeleton className="h-12" />
          </Loading>
        )}
        {providers?.length === 0 && (
          <p className="text-soft">No hosted providers. Add one to offer a company&apos;s models beside those of the machines; prompts to these models leave your machines.</p>
        )}
        {providers && providers.length > 0 && (
          <ul className="-my-4 divide-y divide-line">
            {providers.map((provider) => (
              <ProviderRow key={provider.id} provider={provider} />
            ))}
          </ul>
        )}
        <AddProviderDialog taken={providers?.map(({ name }) => name) ?? []} open={adding} onOpenChange={setAdding} />
      </Panel>
    </div>
  );
}
