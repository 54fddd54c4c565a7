import type { Deployment } from "@/api/types";

import { isSettled, isStep, stepNames, type StepName } from "./steps";

export interface StepTime {
  /** When it began, if that was seen. */
  since?: number;
  /** How long it took, once over. */
  took?: number;
}

interface Seen extends StepTime {
  name: StepName;
}

/** The API says in which step a deployment is, not since when: this remembers when each was first seen. */
export class StepClock {
  #seen = new Map<string, Seen[]>();

  observe(deployment: Deployment, now: number): void {
    const steps = this.#seen.get(deployment.id);
    if (isSettled(deployment.state)) {
      if (steps) finish(steps.at(-1), now);
      return;
    }
    if (!isStep(deployment.step) || steps?.at(-1)?.name === deployment.step) return;
    if (!steps) {
      const first = stepNames(deployment)[0] === deployment.step && deployment.started_at;
      const started = first ? Date.parse(first) : Number.NaN;
      this.#seen.set(deployment.id, [{ name: deployment.step, since: Number.isNaN(started) ? undefined : Math.min(started, now) }]);
      return;
    }
    finish(steps.at(-1), now);
    steps.push({ name: deployment.step, since: now });
  }

  timeOf(deploymentId: string, name: StepName): StepTime {
    return this.#seen.get(deploymentId)?.find((step) => step.name === name) ?? {};
  }
}

function finish(step: Seen | undefined, now: number) {
  if (step?.since !== undefined) step.took ??= now - step.since;
}

export const stepClock = new StepClock();
