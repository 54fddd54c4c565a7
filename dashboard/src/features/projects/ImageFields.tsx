import type { Project } from "@/api/types";
import { TextField } from "@/ui/Field";

import type { FormField, ProjectForm } from "./project-form";

interface ImageFieldsProps {
  /** Absent for one that is to be made. */
  project?: Project;
  form: ProjectForm;
  /** Never read back: an empty one keeps what is stored. */
  password: string;
  onPassword: (value: string) => void;
  onChange: (field: FormField, value: string) => void;
  errorOf: (field: FormField) => string | undefined;
  passwordError?: string;
}

/** An image of a registry, and who asks for it. */
export function ImageFields({ project, form, password, onPassword, onChange, errorOf, passwordError }: ImageFieldsProps) {
  return (
    <>
      <div className="sm:col-span-2">
        <TextField
          label="Image"
          mono
          placeholder="ghcr.io/you/your-app:latest"
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          value={form.image}
          onChange={(value) => onChange("image", value)}
          error={errorOf("image")}
          hint="A deployment takes what the name means then, and a rollback what it meant."
        />
      </div>
      <TextField
        label="Registry user"
        data-testid="registry-user"
        optional
        mono
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
        value={form.registry_username}
        onChange={(value) => onChange("registry_username", value)}
        error={errorOf("registry_username")}
      />
      <TextField
        label="Registry password"
        data-testid="registry-password"
        type="password"
        optional
        autoComplete="new-password"
        placeholder={project?.has_registry_password ? "stored; leave empty to keep it" : ""}
        value={password}
        onChange={onPassword}
        error={passwordError}
        hint="Or a token. Kept encrypted, and never shown."
      />
    </>
  );
}
