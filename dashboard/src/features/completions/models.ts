import { isRecord } from "@/api/error";

/** Whose those are that somebody in the mesh has. */
const OF_THE_MESH = "mesh";

/** A model that can be asked now. */
export interface AskableModel {
  name: string;
  /** The company that is asked, where the prompt goes to one. */
  hostedBy?: string;
}

/** What `/v1/models` lists. The answer is shaped for other programs, so it is no type of ours. */
export function modelsOf(answer: unknown): AskableModel[] {
  const listed: unknown[] = isRecord(answer) && Array.isArray(answer.data) ? answer.data : [];
  return listed.flatMap((model) => {
    if (!isRecord(model) || typeof model.id !== "string") return [];
    const owner = model.owned_by;
    return [{ name: model.id, ...(typeof owner === "string" && owner && owner !== OF_THE_MESH && { hostedBy: owner }) }];
  });
}

export function namesOf(models: readonly AskableModel[]): string[] {
  return models.map(({ name }) => name);
}
