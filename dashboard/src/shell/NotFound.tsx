import { Compass } from "lucide-react";

import { ButtonLink } from "@/ui/Button";
import { PageTitle } from "@/ui/PageTitle";
import { EmptyState } from "@/ui/states";

export function NotFound({ what = "page" }: { what?: string }) {
  return (
    <div className="py-8">
      <PageTitle>Not found</PageTitle>
      <EmptyState
        icon={Compass}
        title={`There is no such ${what}`}
        actions={
          <ButtonLink to="/" variant="primary">
            To the projects
          </ButtonLink>
        }
      >
        It may have been removed, or the address has a typing error in it.
      </EmptyState>
    </div>
  );
}
