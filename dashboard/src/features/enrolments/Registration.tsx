import { CircleCheck, LoaderCircle } from "lucide-react";

import type { EnrolmentCreated } from "@/api/types";
import { Button } from "@/ui/Button";
import { CommandLine, SecretLine } from "@/ui/Copy";
import { Notice } from "@/ui/states";

import { Fingerprint } from "./Fingerprint";
import { useEnrolments } from "./queries";

/** What brings one machine in, and whether it has come. */
export function Registration({ created, onDone }: { created: EnrolmentCreated; onDone: () => void }) {
  const { data } = useEnrolments();
  const now = data?.enrolments.find(({ id }) => id === created.enrolment.id);
  // A key that it had before is not the new one.
  const registered = now?.public_key != null && now.public_key !== created.enrolment.public_key;
  return (
    <div className="flex flex-col gap-4" data-testid="registration" data-registered={registered}>
      <div className="min-w-0">
        <h3 className="mb-1.5 text-[13px] text-soft">Registration token</h3>
        <SecretLine text={created.registration_token} label="Copy" note="It is shown this once, and lets one machine register." testId="registration-token" />
      </div>
      <div className="min-w-0" data-testid="registration-command">
        <h3 className="mb-1.5 text-[13px] text-soft">Run this on the machine</h3>
        <CommandLine command={created.command} whole />
      </div>
      <div role="status">
        {registered ? (
          <Notice tone="good" icon={CircleCheck}>
            {created.enrolment.node_id} has registered. It takes part as soon as somebody who may approves it.
          </Notice>
        ) : (
          <p className="flex items-center gap-2 text-[13px] text-soft">
            <LoaderCircle aria-hidden className="size-4 animate-spin text-accent-ink" /> Waiting for the machine…
          </p>
        )}
      </div>
      {registered && now.fingerprint && <Fingerprint text={now.fingerprint} note="The machine shows the same, or it is another one." />}
      <div className="flex justify-end">
        <Button variant={registered ? "primary" : "secondary"} onClick={onDone}>
          Done
        </Button>
      </div>
    </div>
  );
}
