import { Badge } from "@/ui/Badge";

import { lookOf, type Standing } from "./enrolment-state";

export function EnrolmentBadge({ enrolment }: { enrolment: Standing }) {
  const { word, tone, icon } = lookOf(enrolment);
  return (
    <Badge tone={tone} icon={icon} data-testid="enrolment-state" data-state={enrolment.state}>
      {word}
    </Badge>
  );
}
