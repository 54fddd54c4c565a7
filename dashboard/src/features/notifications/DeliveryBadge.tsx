import { CircleCheck, CircleSlash, CircleX, Clock3, RotateCw, type LucideIcon } from "lucide-react";

import type { NotificationDelivery } from "@/api/types";
import { Badge, type Tone } from "@/ui/Badge";

interface Look {
  word: string;
  tone: Tone;
  icon: LucideIcon;
}

function lookOf({ state, last_error }: NotificationDelivery): Look {
  switch (state) {
    case "pending":
      return last_error ? { word: "Trying again", tone: "warn", icon: RotateCw } : { word: "On its way", tone: "busy", icon: Clock3 };
    case "delivered":
      return { word: "Delivered", tone: "good", icon: CircleCheck };
    case "failed":
      return { word: "Failed", tone: "bad", icon: CircleX };
    case "abandoned":
      return { word: "Given up", tone: "calm", icon: CircleSlash };
  }
}

export function DeliveryBadge({ delivery }: { delivery: NotificationDelivery }) {
  const { word, tone, icon } = lookOf(delivery);
  return (
    <Badge tone={tone} icon={icon} data-testid="delivery-state" data-state={delivery.state}>
      {word}
    </Badge>
  );
}
