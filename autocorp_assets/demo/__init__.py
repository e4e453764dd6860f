"""The main job on one machine: from empty sources to agreed tables, with its proof."""
