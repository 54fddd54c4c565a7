import { Compass } from "lucide-react";

import { useMeshOnly } from "@/features/auth/queries";
import { ButtonLink } from "@/ui/Button";
import { PageTitle } from "@/ui/PageTitle";
import { EmptyState } from "@/ui/states";

export function NotFound({ what = "page" }: { what?: string }) {
  const meshOnly = useMeshOnly();
  return (
    <div className="py-8">
      <PageTitle>Not found</PageTitle>
      <EmptyState
        icon={Compass}
        title={`There is no such ${what}`}
        actions={
          <ButtonLink to="/" variant="primary">
            {meshOnly ? "To the models" : "To the projects"}
          </ButtonLink>
        }
      >
        It may have been removed, or the address has a typing error in it.
      </EmptyState>
    </div>
  );
}
