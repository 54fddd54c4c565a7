import { CircleCheck, CircleX, Send } from "lucide-react";
import type { ReactNode } from "react";

import { asSentence, messageOf } from "@/api/error";
import type { NotificationTest } from "@/api/types";
import { Button } from "@/ui/Button";
import { Prose } from "@/ui/Prose";
import { Notice } from "@/ui/states";

import { useTestChannel } from "./queries";

/** What became of a test, until the next one. */
function Outcome({ test }: { test: NotificationTest }) {
  if (test.ok) {
    return (
      <Notice tone="good" icon={CircleCheck}>
        <span data-testid="test-outcome" data-ok="true">
          It got through: {test.status} after {test.duration_ms} ms.
        </span>
      </Notice>
    );
  }
  return (
    <Notice tone="bad" icon={CircleX}>
      <span data-testid="test-outcome" data-ok="false">
        <Prose>{asSentence(test.error ?? "it did not get through")}</Prose>
      </span>
    </Notice>
  );
}

interface TestChannel {
  send: () => void;
  sending: boolean;
  /** Nothing before the first test. */
  outcome: ReactNode;
}

/** A test of a channel, and a place for its outcome. */
export function useChannelTest(id: string): TestChannel {
  const test = useTestChannel(id);
  const failed = test.error && <Notice tone="bad">{messageOf(test.error)}</Notice>;
  return {
    send: () => test.mutate(),
    sending: test.isPending,
    outcome: test.isPending ? null : (failed ?? (test.data && <Outcome test={test.data} />)),
  };
}

export function TestButton({ test, size, variant }: { test: TestChannel; size?: "sm"; variant?: "primary" }) {
  return (
    <Button size={size} variant={variant} icon={Send} busy={test.sending} onClick={test.send} data-testid="send-test">
      Send a test
    </Button>
  );
}
