import { expect, it } from "vitest";

import { linesOf } from "./line-paths";

const hub = { left: 300, top: 100, width: 200, height: 90 };

it("goes level to what is beside the hub", () => {
  const paths = linesOf({
    hub,
    ends: new Map([
      ["desk", { left: 0, top: 125, width: 240, height: 40 }],
      ["openai", { left: 560, top: 125, width: 240, height: 40 }],
    ]),
  });
  expect(paths.get("desk")).toBe("M300 145C270 145 270 145 240 145");
  expect(paths.get("openai")).toBe("M500 145C530 145 530 145 560 145");
});

it("lets lines leave in the order in which they arrive", () => {
  const paths = linesOf({
    hub,
    ends: new Map([
      ["lower", { left: 0, top: 200, width: 240, height: 40 }],
      ["upper", { left: 0, top: 0, width: 240, height: 40 }],
    ]),
  });
  expect(paths.get("upper")).toBe("M300 130C270 130 270 20 240 20");
  expect(paths.get("lower")).toBe("M300 160C270 160 270 220 240 220");
});

it("goes down the side where the picture is narrow", () => {
  const paths = linesOf({ hub: { left: 0, top: 0, width: 320, height: 80 }, ends: new Map([["desk", { left: 28, top: 100, width: 292, height: 60 }]]) });
  expect(paths.get("desk")).toBe("M12 80V122Q12 130 20 130H28");
});
