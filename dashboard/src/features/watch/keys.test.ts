import { expect, it } from "vitest";

import { scrollOf } from "./keys";

it("scrolls by keys that would be typed elsewhere, and leaves the rest to the browser", () => {
  const key = (name: string, ctrlKey = false) => scrollOf({ key: name, ctrlKey, altKey: false, metaKey: false });
  expect([key("PageUp"), key("ArrowDown"), key("End")]).toEqual(["page-up", "down", "bottom"]);
  expect([key("Tab"), key("a"), key("Home", true)]).toEqual([undefined, undefined, undefined]);
});
