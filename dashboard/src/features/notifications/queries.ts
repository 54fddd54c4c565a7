import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type {
  NotificationChannel,
  NotificationChannelCreate,
  NotificationChannelList,
  NotificationChannelUpdate,
  NotificationDelivery,
  NotificationDeliveryList,
  NotificationTest,
} from "@/api/types";

const PAGE_SIZE = 25;

function pathOf(id: string): string {
  return `/notification-channels/${encodeURIComponent(id)}`;
}

export function useChannels() {
  return useQuery({
    queryKey: keys.notificationChannels,
    queryFn: async ({ signal }) => (await call<NotificationChannelList>("GET", "/notification-channels", { signal })).notification_channels,
  });
}

export function useChannel(id: string) {
  const client = useQueryClient();
  return useQuery<NotificationChannel>({
    queryKey: keys.notificationChannel(id),
    queryFn: ({ signal }) => call<NotificationChannel>("GET", pathOf(id), { signal }),
    placeholderData: () => client.getQueryData<NotificationChannel[]>(keys.notificationChannels)?.find((channel) => channel.id === id),
  });
}

export function useDeliveries(id: string) {
  return useInfiniteQuery({
    queryKey: keys.notificationDeliveries(id),
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => call<NotificationDeliveryList>("GET", `${pathOf(id)}/deliveries`, { query: { limit: PAGE_SIZE, cursor: pageParam }, signal }),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    select: (data) => data.pages.flatMap((page) => page.deliveries),
  });
}

/** What a change to a channel makes stale, without waiting for the event that says so. */
function useChannelChanged() {
  const client = useQueryClient();
  return (channel?: NotificationChannel) => {
    if (channel) client.setQueryData(keys.notificationChannel(channel.id), channel);
    return client.invalidateQueries({ queryKey: ["notifications"] });
  };
}

export function useCreateChannel() {
  const changed = useChannelChanged();
  return useMutation({
    mutationFn: (body: NotificationChannelCreate) => call<NotificationChannel>("POST", "/notification-channels", { body }),
    onSuccess: (channel) => void changed(channel),
  });
}

export function useUpdateChannel(id: string) {
  const changed = useChannelChanged();
  return useMutation({
    mutationFn: (body: NotificationChannelUpdate) => call<NotificationChannel>("PATCH", pathOf(id), { body }),
    onSuccess: (channel) => void changed(channel),
  });
}

export function useDeleteChannel(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call("DELETE", pathOf(id)),
    onSuccess: () => {
      client.setQueryData<NotificationChannel[]>(keys.notificationChannels, (channels) => channels?.filter((channel) => channel.id !== id));
      return client.invalidateQueries({ queryKey: keys.notificationChannels });
    },
  });
}

/** Takes as long as the other side does, up to twenty seconds. */
export function useTestChannel(id: string) {
  return useMutation({ mutationFn: () => call<NotificationTest>("POST", `${pathOf(id)}/test`) });
}

export function useRetryDelivery() {
  const changed = useChannelChanged();
  return useMutation({
    mutationFn: (id: string) => call<NotificationDelivery>("POST", `/notification-deliveries/${encodeURIComponent(id)}/retry`),
    onSettled: () => changed(),
  });
}
