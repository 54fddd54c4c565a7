import { useMe } from "@/features/auth/queries";
import { Field, inputClass } from "@/ui/Field";

import { labelWords } from "./labels";
import { choosableNodes } from "./placement";
import { useNodes } from "./queries";

interface NodeChoiceProps {
  /** Empty: the server decides. */
  value: string;
  onChange: (nodeId: string) => void;
  error?: string;
  /** It runs somewhere already. */
  fixed?: boolean;
}

/** On which server a project shall run. Nothing to choose while there is one only. */
export function NodeChoice({ value, onChange, error, fixed = false }: NodeChoiceProps) {
  const { data: nodes = [] } = useNodes();
  const { data: me } = useMe();
  if (nodes.length < 2 && !value) return null;
  const choosable = choosableNodes(nodes, me);
  const chosen = nodes.find((node) => node.id === value);
  // It went away since it was chosen.
  const away = value && !choosable.some((node) => node.id === value) ? `${chosen?.name ?? "The chosen server"} takes no project at the moment.` : undefined;
  return (
    <Field label="Server" hint={fixed ? "Where it is built and where its jobs run." : "Where it runs. Automatic is the one with most room."} error={error ?? away}>
      {(control) => (
        <select {...control} value={value} onChange={(event) => onChange(event.target.value)} data-testid="choose-node" className={inputClass}>
          {!fixed && <option value="">Automatic</option>}
          {chosen && !choosable.includes(chosen) && <option value={chosen.id}>{chosen.name}</option>}
          {choosable.map((node) => (
            <option key={node.id} value={node.id}>
              {[node.embedded ? `${node.name} (this server)` : node.name, ...labelWords(node.labels)].join(" · ")}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
