import { AArrowDown, AArrowUp, Columns2, EllipsisVertical, FileText, History, Keyboard, Search, Share2 } from "lucide-react";

import { IconButton } from "@/ui/Button";
import { Menu, MenuCheck, MenuItem, MenuLine } from "@/ui/Menu";

import { changeSettings, useTerminalSettings, zoom } from "./settings";

interface TerminalMenuProps {
  watch: boolean;
  onWatch: (watch: boolean) => void;
  onSplit: () => void;
  onFind: () => void;
  onHistory: () => void;
  onText: () => void;
  onEarlier: () => void;
  onShare: () => void;
  onHelp: () => void;
  onClosed: () => void;
  disabled: boolean;
}

export function TerminalMenu({ watch, onWatch, onSplit, onFind, onHistory, onText, onEarlier, onShare, onHelp, onClosed, disabled }: TerminalMenuProps) {
  const { fontSize, screenReader } = useTerminalSettings();
  return (
    <Menu onClosed={onClosed} trigger={<IconButton label="More about terminals" icon={EllipsisVertical} className="size-7!" data-testid="terminal-menu" />}>
      <MenuItem icon={Columns2} hint="Ctrl ⇧ 5" onSelect={onSplit}>
        New terminal beside
      </MenuItem>
      <MenuItem icon={Search} hint="Ctrl ⇧ F" disabled={disabled} onSelect={onFind}>
        Search here
      </MenuItem>
      <MenuItem icon={History} hint="Ctrl ⇧ H" onSelect={onHistory} testId="search-history">
        Search all output
      </MenuItem>
      <MenuItem icon={FileText} disabled={disabled} onSelect={onText}>
        Screen as text
      </MenuItem>
      <MenuItem icon={FileText} disabled={disabled} onSelect={onEarlier}>
        All output as text
      </MenuItem>
      <MenuLine />
      <MenuItem icon={Share2} disabled={disabled} onSelect={onShare} testId="share-terminal">
        Share…
      </MenuItem>
      <MenuLine />
      <MenuItem
        icon={AArrowUp}
        onSelect={() => zoom(1)}
      >{`Larger text (${fontSize})`}</MenuItem>
      <MenuItem icon={AArrowDown} onSelect={() => zoom(-1)}>
        Smaller text
      </MenuItem>
      <MenuCheck checked={watch} onChange={onWatch}>
        Watch only
      </MenuCheck>
      <MenuCheck checked={screenReader} onChange={(checked) => changeSettings({ screenReader: checked })}>
        For screen readers
      </MenuCheck>
      <MenuLine />
      <MenuItem icon={Keyboard} hint="Ctrl ⇧ /" onSelect={onHelp}>
        Keys
      </MenuItem>
    </Menu>
  );
}
