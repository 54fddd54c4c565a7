import { CirclePause, CirclePlay, CirclePlus, CircleX, Hammer, Rocket, Trash2, type LucideIcon } from "lucide-react";
import { Link } from "react-router";

import type { ActivityEvent, ActivityKind } from "@/api/types";
import { toneText, type Tone } from "@/ui/Badge";
import { classes } from "@/ui/classes";
import { Prose } from "@/ui/Prose";
import { RelativeTime } from "@/ui/RelativeTime";

import { tell } from "./words";

const looks: Record<ActivityKind, { icon: LucideIcon; tone: Tone }> = {
  "deployment.live": { icon: Rocket, tone: "good" },
  "deployment.failed": { icon: CircleX, tone: "bad" },
  "workspace.created": { icon: CirclePlus, tone: "busy" },
  "workspace.stopped": { icon: CirclePause, tone: "calm" },
  "workspace.restarted": { icon: CirclePlay, tone: "busy" },
  "workspace.rebuilt": { icon: Hammer, tone: "busy" },
  "workspace.failed": { icon: CircleX, tone: "bad" },
  "workspace.deleted": { icon: Trash2, tone: "calm" },
};

interface EventsProps {
  events: readonly ActivityEvent[];
  /** The page of what an event is about, where there is one. */
  pathTo: (event: ActivityEvent) => string | undefined;
  className?: string;
}

/** Who did what, and when. */
export function Events({ events, pathTo, className }: EventsProps) {
  return (
    <ol aria-label="What happened" className="divide-y divide-line">
      {events.map((event) => {
        const { icon: Icon, tone } = looks[event.event_type] ?? { icon: Rocket, tone: "calm" };
        const { subject, verb, more } = tell(event);
        const path = pathTo(event);
        return (
          <li key={event.position} data-testid="activity" data-kind={event.event_type} className={classes("relative flex items-start gap-3 py-2.5", path && "hover:bg-hover/50", className)}>
            <Icon aria-hidden className={classes("mt-0.5 size-4 shrink-0", toneText[tone])} />
            <div className="min-w-0 flex-1">
              <p className="wrap-anywhere">
                {path ? (
                  <Link to={path} className="font-medium before:absolute before:inset-0 hover:underline">
                    {subject}
                  </Link>
                ) : (
                  <span className="font-medium">{subject}</span>
                )}{" "}
                {verb}
              </p>
              {more && (
                <p className="line-clamp-2 text-[13px] wrap-anywhere text-soft">
                  <Prose>{more}</Prose>
                </p>
              )}
            </div>
            <p className="shrink-0 text-right text-[13px] text-faint">
              <RelativeTime at={event.created_at} />
              {event.actor && <span className="block max-w-28 truncate sm:max-w-48">{event.actor}</span>}
            </p>
          </li>
        );
      })}
    </ol>
  );
}
