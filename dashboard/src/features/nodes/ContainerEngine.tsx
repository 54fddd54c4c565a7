import { Container } from "lucide-react";

import type { Capability } from "@/api/types";
import { Panel } from "@/ui/Card";

const NAME = "docker";

const DRIVER = "driver";

/** Whether it keeps projects apart; a container engine is there to run images, and may as well be missing. */
export function isProtection(capability: Capability): boolean {
  return capability.name !== NAME && capability.name !== DRIVER;
}

/** Who makes the groups that processes run in, and how; older servers do not say. */
export function driverOf(capabilities: readonly Capability[]): string | undefined {
  return capabilities.find((capability) => capability.name === DRIVER)?.detail;
}

/** What runs images and builds Dockerfiles on a server, or what to install for that. */
export function ContainerEngine({ capabilities }: { capabilities: readonly Capability[] }) {
  const engine = capabilities.find((capability) => capability.name === NAME);
  if (!engine) return null;
  return (
    <Panel title="Container engine">
      <p className="flex items-start gap-3" data-testid="container-engine" data-enabled={engine.enabled}>
        <Container aria-hidden className={engine.enabled ? "mt-0.5 size-4 shrink-0 text-good" : "mt-0.5 size-4 shrink-0 text-faint"} />
        <span className="min-w-0 text-[13px] wrap-anywhere text-faint">{engine.detail}</span>
      </p>
    </Panel>
  );
}
