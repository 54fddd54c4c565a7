import type { LimitSettings, NetworkSettings, Outward, Project, ProjectUpdate, Volume } from "@/api/types";

export interface VolumeRow {
  /** Stays the same while its texts change. */
  id: number;
  name: string;
  path: string;
  /** In MB; the server's default when empty. */
  size: string;
}

/** What a project's processes may use, as it stands in the inputs. */
export interface RuntimeForm {
  outward: Outward;
  destinations: string;
  hostPorts: string;
  volumes: readonly VolumeRow[];
  limits: Record<LimitField, string>;
}

export const limitFields = ["memory_mb", "cpu_percent", "processes", "build_memory_mb"] as const satisfies readonly (keyof LimitSettings)[];
export type LimitField = (typeof limitFields)[number];

/** Names of the server's fields that the form shows. */
export const shownFields = ["network.destinations", "network.host_ports", "volumes", ...limitFields.map((field) => `limits.${field}` as const)] as const;
export type ShownField = (typeof shownFields)[number];

let lastId = 0;

export function volumeRow({ name, path, size_mb }: Volume = { name: "", path: "" }): VolumeRow {
  lastId += 1;
  return { id: lastId, name, path, size: size_mb == null ? "" : String(size_mb) };
}

export function fromProject({ network, volumes = [], limits }: Project): RuntimeForm {
  const text = (field: LimitField) => (limits[field] == null ? "" : String(limits[field]));
  return {
    outward: network.outward,
    destinations: network.destinations.join("\n"),
    hostPorts: network.host_ports.join(", "),
    volumes: volumes.map((volume) => volumeRow(volume)),
    limits: { memory_mb: text("memory_mb"), cpu_percent: text("cpu_percent"), processes: text("processes"), build_memory_mb: text("build_memory_mb") },
  };
}

/** Words between commas, spaces or line ends. */
function words(text: string): string[] {
  return text.split(/[\s,;]+/).filter(Boolean);
}

function isWhole(text: string, from: number, to: number): boolean {
  const value = Number(text);
  return Number.isInteger(value) && value >= from && value <= to;
}

function volumesOf(form: RuntimeForm): Volume[] {
  const volumes = form.volumes.map(({ name, path, size }) => ({ name: name.trim(), path: path.trim(), ...(size.trim() && { size_mb: Number(size) }) }));
  return volumes.filter(({ name, path }) => name || path);
}

/** What can be seen to be wrong before the server is asked. */
export function problemsOf(form: RuntimeForm): Partial<Record<ShownField, string>> {
  const problems: Partial<Record<ShownField, string>> = {};
  if (form.outward === "only" && words(form.destinations).length === 0) problems["network.destinations"] = "Name at least one place, or choose that it reaches nothing.";
  if (!words(form.hostPorts).every((port) => isWhole(port, 1, 65535))) problems["network.host_ports"] = "Ports are whole numbers from 1 to 65535.";
  if (volumesOf(form).some(({ name, path }) => !name || !path.startsWith("/"))) problems.volumes = "A volume needs a name and an absolute path, like `/data`.";
  else if (form.volumes.some(({ size }) => size.trim() && !isWhole(size, 1, Number.MAX_SAFE_INTEGER))) problems.volumes = "A volume's size is a whole number of megabytes.";
  for (const field of limitFields) {
    const text = form.limits[field].trim();
    if (text && !isWhole(text, 1, Number.MAX_SAFE_INTEGER)) problems[`limits.${field}`] = "A limit is a whole number.";
  }
  return problems;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function networkOf(form: RuntimeForm): NetworkSettings {
  return { outward: form.outward, destinations: form.outward === "only" ? words(form.destinations) : [], host_ports: words(form.hostPorts).map(Number) };
}

function limitsOf(form: RuntimeForm): LimitSettings {
  return Object.fromEntries(limitFields.flatMap((field) => (form.limits[field].trim() ? [[field, Number(form.limits[field])]] : [])));
}

/** Only the groups that were changed, each as a whole. */
export function toUpdate(form: RuntimeForm, project: Project): Pick<ProjectUpdate, "network" | "volumes" | "limits"> {
  const before = fromProject(project);
  return {
    ...(!same(networkOf(form), networkOf(before)) && { network: networkOf(form) }),
    ...(!same(volumesOf(form), volumesOf(before)) && { volumes: volumesOf(form) }),
    ...(!same(limitsOf(form), limitsOf(before)) && { limits: limitsOf(form) }),
  };
}

/** Whether something is changed that waits for the next deployment: all but sizes of volumes, which hold at once. */
export function needsDeployment(update: Pick<ProjectUpdate, "network" | "volumes" | "limits">, project: Project): boolean {
  if (update.network || update.limits) return true;
  const places = (volumes: readonly Volume[]) => volumes.map(({ name, path }) => ({ name, path }));
  return update.volumes != null && !same(places(update.volumes), places(project.volumes ?? []));
}

/** Names of volumes that are there now and would be gone from the list. */
export function removedVolumes(form: RuntimeForm, project: Project): string[] {
  const kept = new Set(volumesOf(form).map(({ name }) => name));
  return (project.volumes ?? []).map(({ name }) => name).filter((name) => !kept.has(name));
}
