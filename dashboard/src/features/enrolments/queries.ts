import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { Enrolment, EnrolmentCreate, EnrolmentCreated, EnrolmentList, MeshPull, MeshPullCreate } from "@/api/types";
import { useMe } from "@/features/auth/queries";
import { LIVE_MS } from "@/features/mesh/queries";

import { isFetching, withPull } from "./pull-state";

/** While a machine fetches a model: its bar moves. */
const FETCHING_MS = 1000;

function pathOf(id: string): string {
  return `/mesh/enrolments/${encodeURIComponent(id)}`;
}

/** The own ones, and everybody's for who may decide. */
export function useEnrolments() {
  return useQuery({
    queryKey: keys.enrolments,
    queryFn: ({ signal }) => call<EnrolmentList>("GET", "/mesh/enrolments", { signal }),
    refetchInterval: ({ state }) => (state.data?.enrolments.some(isFetching) ? FETCHING_MS : LIVE_MS),
  });
}

/** Those of who is signed in. */
export function useOwnEnrolments() {
  const { data: me } = useMe();
  const { data, error, refetch } = useEnrolments();
  return { enrolments: me && data?.enrolments.filter((each) => each.owner_id === me.id), error, refetch };
}

/** What every change makes true at once. What else it changed, such as the models to choose from, is read again. */
function useChanged() {
  const client = useQueryClient();
  return (enrolment: Enrolment) => {
    client.setQueryData<EnrolmentList>(keys.enrolments, (list) => {
      if (!list) return list;
      const known = list.enrolments.some(({ id }) => id === enrolment.id);
      return { ...list, enrolments: known ? list.enrolments.map((each) => (each.id === enrolment.id ? enrolment : each)) : [enrolment, ...list.enrolments] };
    });
    void client.invalidateQueries({ queryKey: keys.enrolments });
    void client.invalidateQueries({ queryKey: keys.meshModels });
  };
}

export function useCreateEnrolment() {
  const changed = useChanged();
  return useMutation({
    mutationFn: (body: EnrolmentCreate) => call<EnrolmentCreated>("POST", "/mesh/enrolments", { body }),
    onSuccess: ({ enrolment }) => changed(enrolment),
  });
}

export function useRekeyEnrolment(id: string) {
  const changed = useChanged();
  return useMutation({
    mutationFn: () => call<EnrolmentCreated>("POST", `${pathOf(id)}/rekey`),
    onSuccess: ({ enrolment }) => changed(enrolment),
  });
}

export function useWithdrawEnrolment(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call("DELETE", pathOf(id)),
    onSuccess: () => {
      client.setQueryData<EnrolmentList>(keys.enrolments, (list) => list && { ...list, enrolments: list.enrolments.filter((each) => each.id !== id) });
      void client.invalidateQueries({ queryKey: keys.enrolments });
    },
  });
}

export type Decision = "approve" | "reject" | "suspend";

export function useDecide(id: string) {
  const client = useQueryClient();
  const changed = useChanged();
  return useMutation({
    mutationFn: (decision: Decision) => call<Enrolment>("POST", `${pathOf(id)}/${decision}`),
    onSuccess: changed,
    // Somebody else may have decided before.
    onError: () => void client.invalidateQueries({ queryKey: keys.enrolments }),
  });
}

/** How far it has come the list tells, which is read again and again. */
export function usePullModel(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (model: string) => call<MeshPull>("POST", `${pathOf(id)}/pulls`, { body: { model } satisfies MeshPullCreate }),
    onSuccess: async (pull) => {
      // An answer that is on its way does not know of it.
      await client.cancelQueries({ queryKey: keys.enrolments });
      client.setQueryData<EnrolmentList>(keys.enrolments, (list) => list && withPull(list, id, pull));
    },
    // It may be gone, or its owner may have changed their mind.
    onError: () => void client.invalidateQueries({ queryKey: keys.enrolments }),
  });
}
