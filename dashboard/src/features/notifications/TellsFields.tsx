import type { NotificationEvent } from "@/api/types";
import { useProjects } from "@/features/projects/queries";
import { CheckField } from "@/ui/Field";
import { Prose } from "@/ui/Prose";

import type { ChannelForm } from "./channel-form";
import { events, eventWords } from "./words";

interface TellsProps {
  form: ChannelForm;
  onChange: (change: Partial<ChannelForm>) => void;
  errorOf: (field: string) => string | undefined;
}

function toggled<T>(list: readonly T[], item: T, present: boolean): T[] {
  return present ? [...list, item] : list.filter((each) => each !== item);
}

function Problem({ text }: { text?: string }) {
  if (!text) return null;
  return (
    <p role="alert" className="text-[13px] text-bad">
      <Prose>{text}</Prose>
    </p>
  );
}

/** What a channel tells, and of which projects. */
export function TellsFields({ form, onChange, errorOf }: TellsProps) {
  const { data: projects = [] } = useProjects();
  const gone = form.projectIds.filter((id) => !projects.some((project) => project.id === id));
  const choose = (event: NotificationEvent, present: boolean) => onChange({ events: toggled(form.events, event, present) });
  return (
    <>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1.5 font-medium">Tell when</legend>
        {events.map((event) => (
          <CheckField key={event} label={eventWords[event]} checked={form.events.includes(event)} onChange={(present) => choose(event, present)} />
        ))}
        <Problem text={errorOf("events")} />
      </fieldset>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1.5 font-medium">Of which projects</legend>
        <CheckField label="All of them" hint={form.everyProject ? undefined : "What concerns a server is told in any case."} checked={form.everyProject} onChange={(everyProject) => onChange({ everyProject })} />
        {!form.everyProject && (
          <div className="ml-6.5 flex max-h-40 flex-col gap-2 overflow-y-auto">
            {projects.map(({ id, name }) => (
              <CheckField key={id} label={name} checked={form.projectIds.includes(id)} onChange={(present) => onChange({ projectIds: toggled(form.projectIds, id, present) })} />
            ))}
            {gone.map((id) => (
              <CheckField key={id} label="A project that was removed" hint={id} checked onChange={() => onChange({ projectIds: toggled(form.projectIds, id, false) })} />
            ))}
            {projects.length === 0 && gone.length === 0 && <p className="text-[13px] text-faint">There is no project yet.</p>}
          </div>
        )}
        <Problem text={errorOf("project_ids")} />
      </fieldset>
    </>
  );
}
