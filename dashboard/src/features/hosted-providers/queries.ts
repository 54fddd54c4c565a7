import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { HostedProvider, HostedProviderCheck, HostedProviderCreate, HostedProviderList, HostedProviderUpdate } from "@/api/types";
import { useMe } from "@/features/auth/queries";
import { isAdmin } from "@/features/nodes/placement";

function pathOf(id: string): string {
  return `/mesh/providers/${encodeURIComponent(id)}`;
}

/** All of them, for administrators; nothing for others, who are not told. */
export function useHostedProviders() {
  const { data: me } = useMe();
  return useQuery({
    queryKey: keys.hostedProviders,
    queryFn: async ({ signal }) => (await call<HostedProviderList>("GET", "/mesh/providers", { signal })).providers,
    enabled: isAdmin(me),
  });
}

/** What every change makes true at once. What can be asked now is another, too. */
function useChanged() {
  const client = useQueryClient();
  return (change: (providers: HostedProvider[]) => HostedProvider[]) => {
    client.setQueryData<HostedProvider[]>(keys.hostedProviders, (providers) => providers && change(providers));
    void client.invalidateQueries({ queryKey: keys.hostedProviders });
    void client.invalidateQueries({ queryKey: keys.meshModels });
  };
}

export function useCreateProvider() {
  const changed = useChanged();
  return useMutation({
    mutationFn: (body: HostedProviderCreate) => call<HostedProvider>("POST", "/mesh/providers", { body }),
    onSuccess: (made) => changed((providers) => [...providers.filter(({ id }) => id !== made.id), made].sort((a, b) => (a.name < b.name ? -1 : 1))),
  });
}

export function useUpdateProvider(id: string) {
  const changed = useChanged();
  return useMutation({
    mutationFn: (body: HostedProviderUpdate) => call<HostedProvider>("PATCH", pathOf(id), { body }),
    onSuccess: (saved) => changed((providers) => providers.map((each) => (each.id === id ? saved : each))),
  });
}

export function useDeleteProvider(id: string) {
  const changed = useChanged();
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call("DELETE", pathOf(id)),
    onSuccess: () => changed((providers) => providers.filter((each) => each.id !== id)),
    // Somebody else may have removed it before.
    onError: () => void client.invalidateQueries({ queryKey: keys.hostedProviders }),
  });
}

/** Takes as long as the company does, up to ten seconds. */
export function useCheckProvider(id: string) {
  return useMutation({ mutationFn: () => call<HostedProviderCheck>("POST", `${pathOf(id)}/check`) });
}
