{
  "targets": [
    {
      "target_name": "cachalot",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          "outputs": ["<(PRODUCT_DIR)/.always"],
          "action": ["node", "scripts/build-native.cjs", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
