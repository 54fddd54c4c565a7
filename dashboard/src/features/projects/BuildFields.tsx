import type { Plan } from "@/api/types";
import { Field, inputClass, TextField } from "@/ui/Field";

import type { FormField, ProjectForm } from "./project-form";

interface BuildFieldsProps {
  form: ProjectForm;
  onChange: (field: FormField, value: string) => void;
  errorOf: (field: FormField) => string | undefined;
  /** What would be used for what is left empty. */
  plan?: Plan;
  onRootBlur?: () => void;
  withPort: boolean;
  /** Uploads have no history to watch. */
  withWatch: boolean;
  /** An image is not built. */
  image?: boolean;
}

/** Everything about building and running that NanoScale otherwise finds out by itself. */
export function BuildFields({ form, onChange, errorOf, plan, onRootBlur, withPort, withWatch, image = false }: BuildFieldsProps) {
  function bind(field: FormField) {
    return {
      value: form[field],
      onChange: (value: string) => onChange(field, value),
      error: errorOf(field),
      mono: true,
      spellCheck: false,
      autoComplete: "off",
      autoCapitalize: "none",
    };
  }
  if (image) {
    return (
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label="Command" placeholder="the image's own" hint="In place of the image's; its entrypoint stays." {...bind("run_command")} />
        <TextField label="Health path" placeholder="/" hint="Asked for before visitors are sent to a new version." {...bind("health_path")} />
        {withPort && <TextField label="Port" placeholder="a free one" inputMode="numeric" hint="3100 or higher, on the server itself." {...bind("port")} />}
      </div>
    );
  }
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <TextField label="Root directory" placeholder="the repository's top" {...bind("root_directory")} onBlur={onRootBlur} />
      <TextField label="Output directory" placeholder={plan?.output_directory ?? "detected"} {...bind("output_directory")} />
      {withWatch && (
        <div className="sm:col-span-2">
          <Field
            label="Watch paths"
            error={errorOf("watch_paths")}
            hint="A redeploy “if changed” deploys only when one of these changed; patterns as in a .gitignore, one per line; the root directory when empty."
          >
            {(control) => (
              <textarea
                {...control}
                rows={2}
                spellCheck={false}
                autoCapitalize="none"
                placeholder={"packages/api/**\npackage-lock.json"}
                value={form.watch_paths}
                onChange={(event) => onChange("watch_paths", event.target.value)}
                className={`${inputClass} h-auto resize-y font-mono text-[13px]`}
              />
            )}
          </Field>
        </div>
      )}
      <Field label="Builder" error={errorOf("builder")} hint="Automatic: the Dockerfile where there is one and the server has a container engine.">
        {(control) => (
          <select {...control} data-testid="builder" value={form.builder} onChange={(event) => onChange("builder", event.target.value)} className={inputClass}>
            <option value="auto">Automatic</option>
            <option value="native">The language&apos;s own tools</option>
            <option value="dockerfile">Dockerfile</option>
          </select>
        )}
      </Field>
      <TextField label="Dockerfile" placeholder="Dockerfile" hint="Below the root directory." {...bind("dockerfile_path")} />
      <TextField label="Install command" placeholder={plan ? (plan.install_command ?? "nothing to install") : "detected"} {...bind("install_command")} />
      <TextField label="Build command" placeholder={plan ? (plan.build_command ?? "nothing to build") : "detected"} {...bind("build_command")} />
      <TextField label="Run command" placeholder={plan ? (plan.run_command ?? "served as files") : "detected"} {...bind("run_command")} />
      <TextField label="Health path" placeholder="/" hint="Asked for before visitors are sent to a new version." {...bind("health_path")} />
      {withPort && <TextField label="Port" placeholder="a free one" inputMode="numeric" hint="3100 or higher, on the server itself." {...bind("port")} />}
    </div>
  );
}
