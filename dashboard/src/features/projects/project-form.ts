import type { Builder, Project, ProjectCreate, ProjectUpdate } from "@/api/types";

/** The texts that a project is made of, as they stand in the inputs. */
export interface ProjectForm {
  name: string;
  repo_url: string;
  image: string;
  registry_username: string;
  branch: string;
  root_directory: string;
  /** One pattern per line. */
  watch_paths: string;
  install_command: string;
  build_command: string;
  run_command: string;
  output_directory: string;
  health_path: string;
  /** `auto`, `native` or `dockerfile`. */
  builder: string;
  dockerfile_path: string;
  port: string;
  /** Empty: the server decides. */
  node_id: string;
}

export type FormField = keyof ProjectForm;

export const emptyForm: ProjectForm = {
  name: "",
  repo_url: "",
  image: "",
  registry_username: "",
  branch: "",
  root_directory: "",
  watch_paths: "",
  install_command: "",
  build_command: "",
  run_command: "",
  output_directory: "",
  health_path: "",
  builder: "auto",
  dockerfile_path: "",
  port: "",
  node_id: "",
};

export const advancedFields: readonly FormField[] = [
  "root_directory",
  "watch_paths",
  "install_command",
  "build_command",
  "run_command",
  "output_directory",
  "builder",
  "dockerfile_path",
  "port",
  "health_path",
];

/** Those that can change after creation. */
export const updatableFields = [
  "name",
  "repo_url",
  "image",
  "registry_username",
  "branch",
  "root_directory",
  "watch_paths",
  "install_command",
  "build_command",
  "run_command",
  "output_directory",
  "builder",
  "dockerfile_path",
  "health_path",
] as const satisfies readonly FormField[];

const textFields = updatableFields.filter((field) => field !== "name" && field !== "watch_paths" && field !== "builder");

function isBuilder(text: string): text is Builder {
  return text === "auto" || text === "native" || text === "dockerfile";
}

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

export function portProblem(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  const port = Number(text);
  return Number.isInteger(port) && port >= 3100 && port <= 65535 ? undefined : "A port is a whole number from 3100 to 65535.";
}

/** Only what was filled in: the rest is the server's to detect. */
export function toCreate(form: ProjectForm): ProjectCreate {
  const create: ProjectCreate = { name: form.name.trim() };
  for (const field of textFields) {
    const value = form[field].trim();
    if (value) create[field] = value;
  }
  const watched = lines(form.watch_paths);
  if (watched.length > 0) create.watch_paths = watched;
  if (isBuilder(form.builder) && form.builder !== "auto") create.builder = form.builder;
  if (form.port.trim()) create.port = Number(form.port);
  if (form.node_id) create.node_id = form.node_id;
  return create;
}

export function fromProject(project: Project): ProjectForm {
  const form = {
    ...emptyForm,
    name: project.name,
    port: String(project.port),
    node_id: project.node_id,
    watch_paths: (project.watch_paths ?? []).join("\n"),
    builder: project.builder ?? "auto",
  };
  for (const field of textFields) form[field] = project[field] ?? "";
  return form;
}

/** Only what was changed; an emptied text goes as an empty one, which means detection again. */
export function toUpdate(form: ProjectForm, project: Project): ProjectUpdate {
  const before = fromProject(project);
  const update: ProjectUpdate = {};
  for (const field of ["name", ...textFields] as const) {
    const value = form[field].trim();
    if (value !== before[field]) update[field] = value;
  }
  if (isBuilder(form.builder) && form.builder !== before.builder) update.builder = form.builder;
  const watched = lines(form.watch_paths);
  if (watched.join("\n") !== before.watch_paths) update.watch_paths = watched;
  return update;
}
