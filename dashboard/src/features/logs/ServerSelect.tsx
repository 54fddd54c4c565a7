import { useNodes } from "@/features/nodes/queries";
import { inputClass } from "@/ui/Field";
import { classes } from "@/ui/classes";

interface ServerSelectProps {
  servers: readonly string[];
  value: string;
  onValue: (server: string) => void;
}

/** Which server's part of the log is shown, where a project runs on several. */
export function ServerSelect({ servers, value, onValue }: ServerSelectProps) {
  const { data: nodes } = useNodes();
  if (servers.length < 2) return null;
  return (
    <select
      aria-label="Server"
      value={value}
      onChange={(event) => onValue(event.target.value)}
      data-testid="log-server"
      className={classes(inputClass, "h-8 w-auto max-w-44 px-2 text-[13px]")}
    >
      {servers.map((id) => (
        <option key={id} value={id}>
          {nodes?.find((node) => node.id === id)?.name ?? id}
        </option>
      ))}
    </select>
  );
}
