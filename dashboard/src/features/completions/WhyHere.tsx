import { Link, useSearchParams } from "react-router";

/** What the address calls the completion that is explained. */
export const WHY = "why";

/** Opens the explanation of where a completion was served. */
export function WhyHere({ id }: { id: string }) {
  const [search] = useSearchParams();
  const to = new URLSearchParams(search);
  to.set(WHY, id);
  return (
    <Link to={{ search: to.toString() }} preventScrollReset data-testid="why-here" className="rounded whitespace-nowrap text-accent-ink underline decoration-accent-ink/40 underline-offset-2 hover:decoration-accent-ink">
      why here?
    </Link>
  );
}
